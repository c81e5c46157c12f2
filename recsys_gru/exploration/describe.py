"""The page that describes a log: one self-contained HTML file and the same picture as PNG."""

import base64
import html
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recsys_gru.clicks.frames import Frame
from recsys_gru.errors import InputError
from recsys_gru.exploration.profile import DEFAULT_GAP, Profile, profile_clicks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HOUR = 3_600
_MANY_DAYS = 400
_FIRST_CLOCK = datetime(1990, 1, 1, tzinfo=UTC)  # no click is older
_BLUE, _GREY, _ORANGE = "#2b6cb0", "#718096", "#c05621"
_ORDINAL = (
    "<p>The times look like ordinal numbers, not like a clock: days and hours mean nothing here, order and "
    "distance do.</p>"
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a202c; max-width: 72rem; margin: 2rem auto; padding: 0
1rem; } h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; padding: 0; list-style: none; }
.cards li { background: #f7fafc; border: 1px solid #e2e8f0; border-radius: .5rem; padding: .6rem 1rem; }
.cards b { display: block; font-size: 1.3rem; }
img { width: 100%; height: auto; } table { border-collapse: collapse; }
td, th { padding: .25rem 1rem .25rem 0; text-align: left; border-bottom: 1px solid #e2e8f0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def describe(
    clicks: Frame, folder: str | Path, title: str = "Click log", gap: timedelta = DEFAULT_GAP
) -> Profile:
    """Write ``log.html`` (self-contained) and ``log.png`` with what a log looks like; gives the figures.

    Sessions and clicks per day, clicks by hour, lengths, popularity, pauses with a suggested session gap,
    rejected rows. Users are cut into sessions at ``gap``. A log of any size will do.

    Raises:
        SchemaError: a column is missing.
        ClickLogError: no row can be used.
        InputError: the folder cannot be written.

    >>> import polars as pl, tempfile
    >>> log = pl.DataFrame({"session_id": [1, 1], "item_id": [7, 8], "time": [0, 60]})
    >>> describe(log, tempfile.mkdtemp(), title="My shop").items
    2
    """
    profile = profile_clicks(clicks, gap)
    place = Path(folder)
    picture = io.BytesIO()
    draw(profile).savefig(picture, format="png", dpi=150)
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / "log.png").write_bytes(picture.getvalue())
        (place / "log.html").write_text(page(profile, picture.getvalue(), title), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write to {place}: {error}. What to do: name a folder that can be written"
        ) from error
    return profile


def draw(profile: Profile) -> "Figure":
    """The picture: six panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 7.5), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    for axis, panel in zip(axes, (_days, _hours, _lengths, _popularity, _pauses, _head), strict=True):
        panel(axis, profile)
        if axis.get_yscale() == "linear" and panel is not _head:
            axis.yaxis.set_major_formatter("{x:,.0f}")
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _days(axis: "Axes", profile: Profile) -> None:
    days, sessions = profile.per_day["day"].to_numpy(), profile.per_day["sessions"].to_numpy()
    axis.fill_between(days, sessions, step="mid", color=_BLUE, alpha=0.25)
    axis.step(days, sessions, where="mid", color=_BLUE, linewidth=1.5 if len(days) < _MANY_DAYS else 0.5)
    axis.set_ylim(bottom=0)
    shown = np.unique(np.linspace(0, len(days) - 1, 4).round().astype(int))
    axis.set_xticks(days[shown], [str(day) for day in days[shown]])
    axis.set(title="Sessions that start on each day (UTC)", ylabel="sessions")


def _hours(axis: "Axes", profile: Profile) -> None:
    axis.bar(np.arange(24), profile.per_hour, color=_BLUE, width=0.9)
    axis.set(title="Clicks by hour of the day (UTC)", xlabel="hour", ylabel="clicks", xticks=range(0, 24, 3))


def _lengths(axis: "Axes", profile: Profile) -> None:
    axis.scatter(profile.lengths["length"], profile.lengths["sessions"], s=12, color=_BLUE)
    single = profile.lengths.filter(profile.lengths["length"] == 1)["sessions"].sum() / profile.sessions
    axis.set(title=f"Session length ({single:.1%} have one click)", xlabel="clicks", ylabel="sessions")
    axis.set(xscale="log", yscale="log")


def _popularity(axis: "Axes", profile: Profile) -> None:
    axis.plot(np.arange(1, profile.items + 1), profile.popularity, color=_BLUE)
    axis.set(title="Popularity of the items", xlabel="item, most clicked first", ylabel="clicks")
    axis.set(xscale="log", yscale="log")


def _pauses(axis: "Axes", profile: Profile) -> None:
    seconds, counts = profile.pauses["seconds"].to_numpy(), profile.pauses["n"].to_numpy()
    axis.bar(seconds, counts, width=seconds * 0.3, align="edge", color=_BLUE)
    axis.set(title="Pauses between clicks", ylabel="pauses", xscale="log")
    ticks = {1: "1 s", 60: "1 min", 1_800: "30 min", 86_400: "1 day", 2_592_000: "30 days"}
    shown = [second for second in ticks if len(seconds) and seconds[0] <= second <= 2 * seconds[-1]]
    axis.set_xticks(shown, [ticks[second] for second in shown])
    axis.minorticks_off()
    axis.set_xlim(right=max(_HOUR, 1.4 * seconds.max(initial=0.0)))
    if profile.gap is not None:
        axis.axvline(profile.gap.total_seconds(), color=_ORANGE)
        axis.set_title(f"Pauses (suggested session gap: {_span(profile.gap)})")


def _head(axis: "Axes", profile: Profile) -> None:
    share = np.cumsum(profile.popularity) / profile.popularity.sum()
    axis.plot(np.arange(1, profile.items + 1) / profile.items, share, color=_BLUE)
    axis.plot([0, 1], [0, 1], color=_GREY, linestyle=":")
    top = share[max(0, round(0.01 * profile.items) - 1)]
    axis.set(title=f"The top 1% of the items have {top:.0%} of the clicks", xlabel="share of items")
    axis.set(ylabel="share of clicks", xlim=(0, 1), ylim=(0, 1))


def _span(gap: timedelta | None) -> str:
    return "none found" if gap is None else f"{gap.total_seconds() / 60:g} min"


def page(profile: Profile, picture: bytes, title: str) -> str:
    """The HTML page around a picture; nothing in it comes from elsewhere."""
    cards = {
        "rows read": f"{profile.counts['read']:,}",
        "rows rejected": f"{profile.counts['rejected']:,}",
        "sessions": f"{profile.sessions:,}",
        "items": f"{profile.items:,}",
        "clicks per session": f"{profile.counts['kept'] / profile.sessions:.1f}",
        "steps to the same item": f"{profile.repeat_rate:.1%}",
        "clicks at one time with another": f"{profile.collision_rate:.1%}",
        "steps within one time": f"{profile.tied_share:.1%}",
        "suggested session gap": _span(profile.gap)
        if profile.cut_at is not None or profile.gap is not None
        else "none: the log has sessions",
    }
    if profile.cut_at is not None:
        cards["of silence end a session here"] = _span(profile.cut_at)
    listed = "".join(f"<li><b>{value}</b>{name}</li>" for name, value in cards.items())
    reasons = {name: n for name, n in profile.counts.items() if name not in ("read", "kept", "rejected")}
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td class=number>{n:,}</td></tr>" for name, n in reasons.items()
    )
    rejected = (
        f"<table><tr><th>reason</th><th>rows</th></tr>{rows}</table>"
        if rows
        else "<p>None: every row can be used.</p>"
    )
    note = _ORDINAL if profile.first < _FIRST_CLOCK else ""
    note += "".join(f"<p><b>Mind:</b> {html.escape(text)}.</p>" for text in profile.warnings())
    name = html.escape(title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style></head><body>
<h1>{name}</h1><p>{profile.first:%Y-%m-%d %H:%M} to {profile.last:%Y-%m-%d %H:%M} UTC</p>{note}
<ul class="cards">{listed}</ul>
<img alt="Sessions per day, clicks by hour, session lengths, popularity, pauses, concentration"
 src="data:image/png;base64,{base64.b64encode(picture).decode()}">
<h2>Rejected rows</h2>{rejected}
</body></html>
"""
