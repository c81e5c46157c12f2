"""What a log looks like: the numbers behind the page that describes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import span, whole_number
from recsys_gru.clicks.believable import time_limits
from recsys_gru.clicks.check import REASON, TIED_LIMIT, ready, sieve, tied_warning
from recsys_gru.clicks.frames import ITEM, SESSION, TIME, USER, Frame, key_columns
from recsys_gru.clicks.scan import collect
from recsys_gru.clicks.sessionize import LONG_SILENCE, sessionize
from recsys_gru.errors import ClickLogError
from recsys_gru.preparation.buckets import ROWS_AT_ONCE
from recsys_gru.preparation.dealing import in_parts

DEFAULT_GAP = timedelta(minutes=30)
_BINS_PER_DECADE = 8
_FIRST_GAP, _LAST_GAP = timedelta(minutes=5), timedelta(hours=12)


@dataclass(frozen=True)
class Profile:
    """A log in figures.

    Attributes:
        counts: as in CheckedClicks.
        sessions: how many there are (cut at ``cut_at`` where the log has users only).
        items: how many there are.
        first: the first click, UTC.
        last: the last click, UTC.
        per_day: day, sessions and clicks of the sessions that start on it.
        per_hour: clicks of each hour of the day, UTC, (24,).
        lengths: length and number of sessions of it.
        popularity: clicks of each item, most first, (N,).
        repeat_rate: share of steps that stay on the same item.
        collision_rate: share of clicks at the same time as another of their session.
        tied_share: share of steps between clicks of one time, whose order is that of the rows or none.
        reused_ids: sessions whose id comes again after hours of silence.
        pauses: seconds (lower edge of a bin, eight bins a decade) and the number of pauses in it.
        gap: the suggested session gap, None where the pauses show no valley.
        cut_at: the gap at which users were cut into sessions, None where the log has sessions.
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
    tied_share: float
    reused_ids: int
    pauses: pl.DataFrame
    gap: timedelta | None
    cut_at: timedelta | None

    def warnings(self) -> list[str]:
        """What is odd about the log, in words."""
        texts = [tied_warning(self.tied_share)] if self.tied_share > TIED_LIMIT else []
        if self.reused_ids:
            texts.append(
                f"{self.reused_ids:,} session ids come again after hours of silence: they begin anew, every "
                'day say. Cut them: user="session_id" in read_clicks, or --user session_id'
            )
        return texts


def profile_clicks(
    clicks: Frame, gap: timedelta = DEFAULT_GAP, *, rows_per_part: int = ROWS_AT_ONCE
) -> Profile:
    """Check a log and look at it from all sides; users are cut into sessions at ``gap``.

    A log of more than ``rows_per_part`` rows is dealt out to files by a hash of the session (or user) and
    looked at part by part, so its size does not matter.

    Raises:
        SchemaError: a column is missing.
        ClickLogError: no row can be used.
        ParameterError: ``gap`` is no span of time, or ``rows_per_part`` no whole number of at least 1.

    >>> log = pl.DataFrame({"session_id": [1, 1, 2], "item_id": [7, 8, 7], "time": [0, 60, 120]})
    >>> profile_clicks(log).popularity
    array([2, 1])
    """
    gap, rows_per_part = span("gap", gap), whole_number("rows_per_part", rows_per_part, 1)
    log = ready(clicks)
    users = SESSION not in key_columns(log)
    with in_parts(log, rows_per_part) as parts:
        limits = time_limits(pl.concat(parts))
        views = [_view(*sieve(collect(part), limits), gap if users else None) for part in parts]
    counts = _counts(views)
    if not counts["kept"]:
        raise ClickLogError(f"expected usable clicks; every row broke a rule: {counts}")
    day = _summed(views, "days", "day").upsample("day", every="1d")
    hours = _summed(views, "hours", "hour")
    lengths = _summed(views, "lengths", "length")
    steps = counts["kept"] - int(lengths["sessions"].sum())
    pauses = _every_step(_summed(views, "pauses", "step"))
    popularity = _summed(views, "items", ITEM)["n"].sort(descending=True)
    return Profile(
        counts=counts,
        sessions=int(lengths["sessions"].sum()),
        items=len(popularity),
        first=min(view.first for view in views if view.first is not None),
        last=max(view.last for view in views if view.last is not None),
        per_day=day.with_columns(pl.exclude("day").fill_null(0)),
        per_hour=np.bincount(hours["hour"].to_numpy(), hours["n"].to_numpy(), minlength=24).astype(np.int64),
        lengths=lengths,
        popularity=popularity.to_numpy().astype(np.int64),
        repeat_rate=sum(view.repeats for view in views) / steps if steps else 0.0,
        collision_rate=sum(view.collisions for view in views) / counts["kept"],
        tied_share=sum(view.ties for view in views) / steps if steps else 0.0,
        reused_ids=0 if users else sum(view.reused for view in views),
        pauses=pauses,
        gap=valley(pauses),
        cut_at=gap if users else None,
    )


@dataclass(frozen=True)
class _View:
    """What one part of a log adds to the figures; every frame is summed by its first column."""

    read: int
    reasons: pl.DataFrame
    first: datetime | None
    last: datetime | None
    repeats: int
    collisions: int
    ties: int
    reused: int
    days: pl.DataFrame
    hours: pl.DataFrame
    lengths: pl.DataFrame
    items: pl.DataFrame
    pauses: pl.DataFrame


def _view(kept: pl.DataFrame, bad: pl.DataFrame, gap: timedelta | None) -> _View:
    """Look at the checked rows of a part; ``gap`` cuts users into sessions."""
    owner = SESSION if gap is None else USER
    events = kept if gap is None else sessionize(kept, gap=gap).collect()
    starts = events.group_by(SESSION).agg(pl.col(TIME).min().dt.date().alias("day"), pl.len().alias("length"))
    same = pl.col(SESSION) == pl.col(SESSION).shift()  # the rows of a session lie together
    with_last = same & (pl.col(TIME) == pl.col(TIME).shift())
    found = events.select(
        first=pl.col(TIME).min(),
        last=pl.col(TIME).max(),
        repeats=(same & (pl.col(ITEM) == pl.col(ITEM).shift())).sum(),
        collisions=(with_last | with_last.shift(-1)).sum(),
        ties=with_last.sum(),
        reused=pl.col(SESSION).filter(same & (pl.col(TIME).diff() > LONG_SILENCE)).n_unique(),
    )
    return _View(
        kept.height + bad.height,
        _counted(bad.select(REASON)),
        **found.row(0, named=True),
        days=starts.group_by("day").agg(pl.len().alias("sessions"), pl.col("length").sum().alias("clicks")),
        hours=_counted(events.select(pl.col(TIME).dt.hour().alias("hour"))),
        lengths=starts.group_by("length").agg(pl.len().alias("sessions")),
        items=_counted(events.select(ITEM)),
        pauses=_pauses(kept, owner),
    )


def _counted(column: pl.DataFrame) -> pl.DataFrame:
    return column.group_by(pl.all()).agg(pl.len().alias("n"))


def _summed(views: list[_View], name: str, by: str) -> pl.DataFrame:
    table: pl.DataFrame = pl.concat([getattr(view, name) for view in views])
    return table.group_by(by).agg(pl.exclude(by).cast(pl.Int64).sum()).sort(by)


def _counts(views: list[_View]) -> dict[str, int]:
    reasons = dict(_summed(views, "reasons", REASON).iter_rows())
    read, rejected = sum(view.read for view in views), sum(reasons.values())
    return {"read": read, "kept": read - rejected, "rejected": rejected, **reasons}


def _pauses(rows: pl.DataFrame, owner: str) -> pl.DataFrame:
    """Silences between consecutive clicks of one owner, counted by their length in steps of an eighth of a
    decade; the rows are in order.
    """
    same = pl.col(owner) == pl.col(owner).shift()
    pause = pl.when(same).then(pl.col(TIME).diff().dt.total_seconds(fractional=True))
    step = (pl.col("pause").log10() * _BINS_PER_DECADE).floor().cast(pl.Int64).alias("step")
    return _counted(rows.select(pause.alias("pause")).filter(pl.col("pause") > 0).select(step))


def _every_step(counted: pl.DataFrame) -> pl.DataFrame:
    """The histogram with its empty bins."""
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
