"""The page that describes a log: one HTML file, nothing in it from elsewhere."""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recsys_gru.exploration.profile import Profile
from recsys_gru.pages import (
    Axis,
    Frame,
    Html,
    area,
    card,
    columns,
    document,
    dots,
    line,
    section,
    table,
    text,
    tiles,
    upright,
)

FIRST_CLOCK = datetime(1990, 1, 1, tzinfo=UTC)
"""No click is older."""
POINTS = 240
"""Most points of a line over the items."""
SILENCES = {
    1: "1 s",
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3_600: "1 h",
    86_400: "1 day",
    2_592_000: "30 days",
}
BIN = 10 ** (1 / 8)
"""Width of a bin of pauses, as a factor."""
ORDINAL = (
    "The times look like ordinal numbers, not like a clock: days and hours would mean nothing here, order "
    "and distance do."
)


def page(profile: Profile, title: str) -> str:
    """The whole page."""
    clock = () if profile.first < FIRST_CLOCK else (_days, _hours)
    charts = [chart(profile) for chart in (*clock, _lengths, _pauses, _popularity, _head)]
    shown = section("What it looks like", "", f'<div class="cards">{"".join(charts)}</div>')
    return document(title, _top(profile, title) + shown + _rejected(profile))


def span_of(gap: timedelta | None) -> str:
    """A gap in minutes, for people."""
    return "none found" if gap is None else f"{gap.total_seconds() / 60:g} min"


def _top(profile: Profile, title: str) -> str:
    counts = profile.counts
    figures = {
        "rows read": (f"{counts['read']:,}", f"{counts['rejected']:,} of them rejected"),
        "sessions": (f"{profile.sessions:,}", f"{counts['kept'] / profile.sessions:.1f} clicks in each"),
        "items": (f"{profile.items:,}", f"{counts['kept'] / profile.items:,.1f} clicks on each"),
        "same item again": (f"{profile.repeat_rate:.1%}", "of the steps"),
        "equal times": (
            f"{profile.collision_rate:.1%}",
            f"of the clicks; {profile.tied_share:.1%} of the steps",
        ),
        **_silence(profile),
    }
    ordinal = profile.first < FIRST_CLOCK
    told = [*([ORDINAL] if ordinal else []), *(f"{said}." for said in profile.warnings())]
    listed = "".join(f"<li>{text(said)}</li>" for said in told)
    warnings = f'<ul class="warnings">{listed}</ul>' if listed else ""
    span = f", {profile.first:%Y-%m-%d %H:%M} to {profile.last:%Y-%m-%d %H:%M} UTC"
    head = f'<h1>{text(title)}</h1><p class="sub">Click log{"" if ordinal else span}.</p>'
    return f"<header>{head}{tiles(figures)}{warnings}</header>"


def _silence(profile: Profile) -> dict[str, tuple[str, str]]:
    """The gap that cuts users into sessions, and the one that the pauses suggest."""
    told = {}
    if profile.cut_at is not None:
        told["session gap"] = (span_of(profile.cut_at), "of silence end a session here")
    if profile.cut_at is not None or profile.gap is not None:
        told["suggested gap"] = (span_of(profile.gap), "a valley between the pauses")
    return told


def _days(profile: Profile) -> Html:
    days, sessions = profile.per_day["day"].to_list(), profile.per_day["sessions"].to_numpy()
    last = len(days) - 1
    x = Axis(0, max(last, 1), [(place, f"{days[place]}") for place in sorted({0, last // 2, last})])
    frame = Frame(x, Axis.linear(0, int(sessions.max()), "sessions", whole=True))
    marks = area(frame, range(last + 1), sessions.tolist()) if last else columns(frame, [(0, 1)], sessions)
    return card("Sessions that start on each day (UTC)", frame, marks)


def _hours(profile: Profile) -> Html:
    x = Axis(0, 24, [(hour, f"{hour}") for hour in range(0, 25, 6)], "hour")
    frame = Frame(x, Axis.linear(0, int(profile.per_hour.max()), "clicks", whole=True))
    edges = [(hour, hour + 1) for hour in range(24)]
    return card("Clicks by hour of the day (UTC)", frame, columns(frame, edges, profile.per_hour.tolist()))


def _lengths(profile: Profile) -> Html:
    lengths, sessions = profile.lengths["length"].to_numpy(), profile.lengths["sessions"].to_numpy()
    x = Axis.logarithmic(1, float(lengths.max()), "clicks in the session")
    frame = Frame(x, Axis.logarithmic(1, float(sessions.max()), "sessions"))
    single = sessions[lengths == 1].sum() / profile.sessions
    title = f"Session lengths: {single:.1%} have one click"
    return card(title, frame, dots(frame, lengths.tolist(), sessions.tolist()))


def _pauses(profile: Profile) -> Html:
    title, seconds = "Pauses between clicks", profile.pauses["seconds"].to_numpy()
    if not len(seconds):
        return Html("")
    low, high = float(seconds[0]), float(seconds[-1] * BIN)
    marks = [(second, name) for second, name in SILENCES.items() if low <= second <= high]
    most = int(profile.pauses["n"].to_numpy().max())
    frame = Frame(Axis(low, high, marks, "silence", is_log=True), Axis.linear(0, most, "pauses", whole=True))
    edges = [(second, second * BIN) for second in seconds.tolist()]
    drawn = columns(frame, edges, profile.pauses["n"].to_list())
    if profile.gap is None:
        return card(title, frame, drawn)
    said = f"Line: a session seems to end after {span_of(profile.gap)}."
    return card(title, frame, drawn, upright(frame, profile.gap.total_seconds()), note=said)


def _popularity(profile: Profile) -> Html:
    places = _some_of(profile.items)
    clicks = profile.popularity[places - 1]
    x = Axis.logarithmic(1, profile.items, "item, most clicked first")
    frame = Frame(x, Axis.logarithmic(1, float(clicks.max()), "clicks"))
    return card("Popularity of the items", frame, line(frame, places.tolist(), clicks.tolist()))


def _head(profile: Profile) -> Html:
    share = np.cumsum(profile.popularity) / profile.popularity.sum()
    places = _some_of(profile.items)
    quarters = [(quarter / 4, f"{quarter / 4:.0%}") for quarter in range(5)]
    frame = Frame(Axis(0, 1, quarters, "share of the items"), Axis(0, 1, quarters, "share of the clicks"))
    xs, ys = [0.0, *(places / profile.items).tolist()], [0.0, *share[places - 1].tolist()]
    top = share[max(0, round(0.01 * profile.items) - 1)]
    title = f"The most clicked 1% of the items have {top:.0%} of the clicks"
    return card(title, frame, line(frame, xs, ys), line(frame, (0, 1), (0, 1), "law"))


def _some_of(items: int) -> NDArray[np.int64]:
    """Places 1 to ``items``, thinned out evenly on a logarithmic scale."""
    return np.unique(np.geomspace(1, items, POINTS).round().astype(np.int64))


def _rejected(profile: Profile) -> str:
    reasons = {name: n for name, n in profile.counts.items() if name not in ("read", "kept", "rejected")}
    rows = [[name, f"{n:,}", f"{n / profile.counts['read']:.2%}"] for name, n in reasons.items()]
    none = Html('<p class="note">None: every row can be used.</p>')
    return section("Rejected rows", "", table(["reason", "rows", "share"], rows) or none)
