"""Which times of a log can be believed: not those of clocks that were never set, nor those far outside it.

One line for each day is all that is kept of a log, so one of any size can be asked.
"""

from dataclasses import dataclass

import polars as pl

from recsys_gru.clicks.frames import KIND, TIME
from recsys_gru.clicks.scan import collect

DAY = 86_400_000_000
_EDGE, _FEW = 100, 10  # at each end one click in a hundred, or one of ten or more, may be astray
_LEAST_MARGIN_DAYS = 366
_JUST_BOOTED = (-1, 31)  # days after 1970 on which a clock lies that was never set
_LEAST_SAME, _SHARE_SAME = 3, 100  # clicks of one same time, and one in so many, that are no accident


@dataclass(frozen=True)
class Limits:
    """The first and last believable time, and spans within them that are not, in microseconds since 1970."""

    first: int
    last: int
    unset: tuple[tuple[int, int], ...] = ()

    def far(self) -> pl.Expr:
        """Whether a time lies outside the log."""
        return ~pl.col(TIME).dt.epoch("us").is_between(self.first, self.last)

    def no_clock(self) -> pl.Expr:
        """Whether a time is that of a clock that was not set."""
        micros = pl.col(TIME).dt.epoch("us")
        return pl.any_horizontal(
            pl.lit(value=False), *(micros.is_between(first, last) for first, last in self.unset)
        )


def time_limits(frame: pl.LazyFrame) -> Limits:
    """The times of a log that can be believed.

    They are the days of the middle 98 % of the clicks, widened by a year or ten times their span, whichever
    is more. Before that, clicks are left out that lie more than a year from where most clicks lie and are in
    the first days of 1970, or share one single time: a hundredth of the clicks or more.
    """
    if KIND in frame.collect_schema():
        frame = frame.filter(pl.col(KIND).is_null())
    micros = pl.col(TIME).dt.epoch("us")
    counted = frame.filter(pl.col(TIME).is_not_null()).group_by((micros // DAY).alias("day"))
    days = collect(counted.agg(pl.len().alias("n"), micros.min().alias("first"), micros.max().alias("last")))
    if days.is_empty():
        return Limits(0, 0)
    days = days.sort("day").with_columns(pl.col("n").cast(pl.Int64))
    unset = _unset(days)
    inside = pl.any_horizontal(pl.lit(value=False), *(pl.col("first").is_between(*span) for span, _ in unset))
    first, last = _middle(days.filter(~inside))
    # a click or two that lie far outside anyhow are no pattern
    told = tuple(span for span, many in unset if many or span[1] >= first)
    return Limits(first, last, told)


def _middle(days: pl.DataFrame) -> tuple[int, int]:
    clicks, so_far = int(days["n"].sum()), days["n"].cum_sum()
    edge = max(clicks // _EDGE, int(clicks >= _FEW))
    first, last = (int(days["day"][int(so_far.search_sorted(place))]) for place in (edge + 1, clicks - edge))
    margin = max(_LEAST_MARGIN_DAYS, 10 * (last - first))
    return (first - margin) * DAY, (last + 1 + margin) * DAY


def _unset(days: pl.DataFrame) -> list[tuple[tuple[int, int], bool]]:
    """Spans of time of clocks that were not set, away from more than half of the clicks, which lie together;
    and whether many clicks are in each.
    """
    group = (pl.col("day").diff().fill_null(0) > _LEAST_MARGIN_DAYS).cum_sum().alias("group")
    groups = days.group_by(group).agg(pl.col("n").sum(), pl.col("first").min(), pl.col("last").max())
    clicks, most = int(groups["n"].sum()), int(groups["n"].max())  # type: ignore[arg-type]
    if 2 * most <= clicks or clicks < _FEW:
        return []
    booted = (pl.col("first") >= _JUST_BOOTED[0] * DAY) & (pl.col("last") < _JUST_BOOTED[1] * DAY)
    many = pl.col("n") >= max(_LEAST_SAME, clicks // _SHARE_SAME)
    one_time = (pl.col("first") == pl.col("last")) & many
    odd = groups.filter((pl.col("n") < most) & (booted | one_time)).sort("first")
    return [
        ((int(first), int(last)), bool(is_many))
        for first, last, is_many in odd.select("first", "last", many).iter_rows()
    ]
