"""Describing a log: its figures, the page that shows them, and the picture as PNG."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recsys_gru.arguments import place as path_text
from recsys_gru.arguments import word
from recsys_gru.clicks.frames import Frame
from recsys_gru.errors import InputError
from recsys_gru.exploration.page import page, span_of
from recsys_gru.exploration.profile import DEFAULT_GAP, Profile, profile_clicks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HOUR = 3_600
_MANY_DAYS = 400
_BLUE, _GREY, _ORANGE = "#2b6cb0", "#718096", "#c05621"


def describe(
    clicks: Frame, folder: str | Path, title: str = "Click log", gap: timedelta = DEFAULT_GAP
) -> Profile:
    """Write ``log.html`` (one file) and ``log.png`` with what a log looks like; gives the figures.

    Sessions and clicks per day, clicks by hour, lengths, popularity, pauses with a suggested session gap,
    rejected rows. Users are cut into sessions at ``gap``. A log of any size will do.

    Raises:
        SchemaError: a column is missing.
        ClickLogError: no row can be used.
        InputError: the folder cannot be written.
        ParameterError: ``gap`` is no span of time, or ``folder`` no path.

    >>> import polars as pl, tempfile
    >>> log = pl.DataFrame({"session_id": [1, 1], "item_id": [7, 8], "time": [0, 60]})
    >>> describe(log, tempfile.mkdtemp(), title="My shop").items
    2
    """
    place, title = Path(path_text("folder", folder)), word("title", title)
    profile = profile_clicks(clicks, gap)
    try:
        place.mkdir(parents=True, exist_ok=True)
        draw(profile).savefig(place / "log.png", dpi=150)
        (place / "log.html").write_text(page(profile, title), encoding="utf-8")
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
        axis.set_title(f"Pauses (suggested session gap: {span_of(profile.gap)})")


def _head(axis: "Axes", profile: Profile) -> None:
    share = np.cumsum(profile.popularity) / profile.popularity.sum()
    axis.plot(np.arange(1, profile.items + 1) / profile.items, share, color=_BLUE)
    axis.plot([0, 1], [0, 1], color=_GREY, linestyle=":")
    top = share[max(0, round(0.01 * profile.items) - 1)]
    axis.set(title=f"The top 1% of the items have {top:.0%} of the clicks", xlabel="share of items")
    axis.set(ylabel="share of clicks", xlim=(0, 1), ylim=(0, 1))
