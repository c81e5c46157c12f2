"""What a log looks like: the numbers behind the page that describes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.check import check_clicks
from recsys_gru.clicks.frames import ITEM, SESSION, TIME, USER, Frame, key_columns
from recsys_gru.clicks.sessionize import sessionize
from recsys_gru.errors import ClickLogError

DEFAULT_GAP = timedelta(minutes=30)
_BINS_PER_DECADE = 8
_FIRST_GAP, _LAST_GAP = timedelta(minutes=5), timedelta(hours=12)


@dataclass(frozen=True)
class Profile:
    """A log in figures.

    Attributes:
        counts: as in CheckedClicks.
        sessions: how many there are (cut with ``gap`` where the log has users only).
        items: how many there are.
        first: the first click, UTC.
        last: the last click, UTC.
        per_day: day, sessions and clicks of the sessions that start on it.
        per_hour: clicks of each hour of the day, UTC, (24,).
        lengths: length and number of sessions of it.
        popularity: clicks of each item, most first, (N,).
        repeat_rate: share of steps that stay on the same item.
        collision_rate: share of clicks at the same time as another of their session.
        pauses: seconds (lower edge of a bin, eight bins a decade) and the number of pauses in it.
        gap: the suggested session gap, None where the pauses show no valley.
        users: whether the log has users instead of sessions.
    """

    counts: dict[str, int]
    sessions: int
    items: int
    first: datetime
    last: datetime
    per_day: pl.DataFrame
    per_hour: NDArray[np.int64]
    lengths: pl.DataFrame
    popularity: NDArray[np.int64]
    repeat_rate: float
    collision_rate: float
    pauses: pl.DataFrame
    gap: timedelta | None
    users: bool


def profile_clicks(clicks: Frame) -> Profile:
    """Check a log and look at it from all sides.

    Raises:
        SchemaError: a column is missing.
        ClickLogError: no row can be used.

    >>> log = pl.DataFrame({"session_id": [1, 1, 2], "item_id": [7, 8, 7], "time": [0, 60, 120]})
    >>> profile_clicks(log).popularity
    array([2, 1])
    """
    checked = check_clicks(clicks)
    rows = checked.clicks.collect()
    if rows.is_empty():
        raise ClickLogError(f"expected usable clicks; every row broke a rule: {checked.counts}")
    users = SESSION not in key_columns(rows.lazy())
    pauses = _pauses(rows, USER if users else SESSION)
    gap = valley(pauses)
    events = sessionize(rows, gap=gap or DEFAULT_GAP).collect() if users else rows
    starts = events.group_by(SESSION).agg(pl.col(TIME).min().dt.date().alias("day"), pl.len().alias("length"))
    again = (pl.col(ITEM) == pl.col(ITEM).shift()).over(SESSION)
    rates = events.select(
        again.mean().fill_null(0.0).alias("repeats"),
        (pl.len().over(SESSION, TIME) > 1).mean().alias("collisions"),
    )
    day = starts.group_by("day").agg(pl.len().alias("sessions"), pl.col("length").sum().alias("clicks"))
    hours = np.bincount(events[TIME].dt.hour().to_numpy(), minlength=24)
    return Profile(
        counts=checked.counts,
        sessions=starts.height,
        items=rows[ITEM].n_unique(),
        first=rows.select(pl.col(TIME).min()).item(),
        last=rows.select(pl.col(TIME).max()).item(),
        per_day=day.sort("day").upsample("day", every="1d").with_columns(pl.exclude("day").fill_null(0)),
        per_hour=hours.astype(np.int64),
        lengths=starts.group_by("length").agg(pl.len().alias("sessions")).sort("length"),
        popularity=rows[ITEM].value_counts(sort=True)["count"].to_numpy().astype(np.int64),
        repeat_rate=float(rates["repeats"][0]),
        collision_rate=float(rates["collisions"][0]),
        pauses=pauses,
        gap=gap,
        users=users,
    )


def _pauses(rows: pl.DataFrame, owner: str) -> pl.DataFrame:
    """Silences between consecutive clicks of one owner, counted by their length in steps of an eighth of a
    decade.
    """
    pause = pl.col(TIME).diff().over(owner).dt.total_seconds(fractional=True)
    step = (pl.col("pause").log10() * _BINS_PER_DECADE).floor().cast(pl.Int64).alias("step")
    ordered = rows.sort(owner, TIME, ITEM).select(pause.alias("pause")).filter(pl.col("pause") > 0)
    counted = ordered.group_by(step).agg(pl.len().cast(pl.Int64).alias("n")).sort("step")
    if counted.is_empty():
        return pl.DataFrame(schema={"seconds": pl.Float64, "n": pl.Int64})
    steps = pl.DataFrame({"step": pl.int_range(counted["step"][0], counted["step"][-1] + 1, eager=True)})
    full = steps.join(counted, on="step", how="left", maintain_order="left")
    return full.select(
        (10.0 ** (pl.col("step") / _BINS_PER_DECADE)).alias("seconds"), pl.col("n").fill_null(0)
    )


def valley(pauses: pl.DataFrame) -> timedelta | None:
    """The silence, between 5 minutes and 12 hours, that separates pauses within a visit from those between
    visits.

    It is the lowest point of the smoothed histogram with a higher one on both sides; None where there is
    none, as in logs that come in sessions.
    """
    if pauses.is_empty():
        return None
    counts = np.convolve(pauses["n"].to_numpy(), np.ones(3) / 3, mode="same")
    seconds = pauses["seconds"].to_numpy()
    inner = np.flatnonzero((seconds >= _FIRST_GAP.total_seconds()) & (seconds <= _LAST_GAP.total_seconds()))
    if not len(inner):
        return None
    bottom = inner[counts[inner] == counts[inner].min()]
    lowest = bottom[len(bottom) // 2]
    before, after = counts[:lowest].max(initial=0.0), counts[lowest + 1 :].max(initial=0.0)
    if min(before, after) < 1.2 * counts[lowest] or min(before, after) < 1:
        return None
    return timedelta(minutes=max(5, round(seconds[lowest] / 300) * 5))
