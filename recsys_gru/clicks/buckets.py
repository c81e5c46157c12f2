"""A log cut into buckets on disk, so that each can be worked on in memory whatever the size of the whole."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from recsys_gru.clicks.check import REASON, as_they_came, sieve
from recsys_gru.clicks.frames import ITEM, SESSION, START, TIME, USER
from recsys_gru.clicks.read import AS_READ
from recsys_gru.clicks.recipe import Recipe
from recsys_gru.clicks.scan import collect, whole_files
from recsys_gru.clicks.sessionize import sessionize

REPEAT, ROBOT = "consecutive repeat", "session too long for a person"
_BUCKET = "bucket"


def scatter(frame: pl.LazyFrame, bucket: pl.Expr, folder: Path) -> list[Path]:
    """Write the rows of each bucket to a folder of its own, in one streaming pass; buckets in order."""
    target = pl.PartitionBy(folder, key={_BUCKET: bucket}, include_key=False)
    folder.mkdir(parents=True)
    with whole_files():
        frame.sink_parquet(target, mkdir=True, engine="streaming", compression="lz4")
    return sorted(folder.iterdir(), key=lambda path: int(path.name.partition("=")[2]))


def owner_of(frame: pl.LazyFrame) -> str:
    """The column that says whose click it is and never ends up in two buckets."""
    return SESSION if SESSION in frame.collect_schema().names() else USER


@dataclass(frozen=True)
class Bucket:
    """One bucket after the checks: ``events`` (a file, rows with their rule), and what the whole log needs
    to know.

    Attributes:
        events: session_id, item_id, time, start, reason (null where the row is good) and user_id for logs of
            users.
        last: the last good time, None where there is none.
        starts: good events and sessions by minute of the session's start.
    """

    events: Path
    last: datetime | None
    starts: pl.DataFrame


def check_bucket(raw: Path, folder: Path, recipe: Recipe, limits: tuple[int, int]) -> Bucket:
    """Apply the rules that need one session only, write the events, and the rejected rows to quarantine."""
    good, bad = sieve(collect(pl.scan_parquet(raw / "*.parquet")), limits)
    unbroken = pl.lit(None, dtype=pl.String).alias(REASON)
    events = _ruled(_in_sessions(good, recipe).with_columns(unbroken), recipe)
    name = f"{raw.name.partition('=')[2]}.parquet"
    write_quarantine(as_they_came(bad), folder / "quarantine" / f"unreadable-{name}")
    write_quarantine(events.filter(pl.col(REASON).is_not_null()), folder / "quarantine" / f"session-{name}")
    parsed = bad.select(name for name in bad.columns if not name.endswith(AS_READ))
    table = pl.concat([events, parsed], how="diagonal_relaxed")
    (folder / "events").mkdir(exist_ok=True)
    table.write_parquet(folder / "events" / name, compression="lz4")
    clean = events.filter(pl.col(REASON).is_null())
    minutes = clean.group_by(pl.col(START).dt.truncate("1m")).agg(
        pl.len().alias("events"), pl.col(SESSION).n_unique().alias("sessions")
    )
    return Bucket(folder / "events" / name, clean.select(pl.col(TIME).max()).item(), minutes)


def _in_sessions(good: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    # rows of sessions are in order already
    events = good if SESSION in good.columns else sessionize(good, gap=recipe.gap).collect()
    return events.select(name for name in events.columns if not name.endswith(AS_READ))


def _ruled(events: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    if recipe.collapse:
        events = mark(events, _repeats(), REPEAT)
    if recipe.max_length is not None:
        good_length = pl.col(REASON).is_null().sum().over(SESSION)
        events = mark(events, good_length > recipe.max_length, ROBOT)
    alive = pl.when(pl.col(REASON).is_null()).then(pl.col(TIME))
    return events.with_columns(alive.min().over(SESSION).alias(START))


def _repeats() -> pl.Expr:
    same_session = pl.col(SESSION) == pl.col(SESSION).shift()
    return (same_session & (pl.col(ITEM) == pl.col(ITEM).shift())).fill_null(value=False)


def mark(events: pl.DataFrame, broken: pl.Expr, rule: str) -> pl.DataFrame:
    """Give rows that break a rule its name, unless they broke an earlier one."""
    reason = pl.coalesce(pl.col(REASON), pl.when(broken).then(pl.lit(rule)))
    return events.with_columns(reason.alias(REASON))


def write_quarantine(rows: pl.DataFrame, path: Path) -> None:
    """Write rejected rows, sorted, where there are any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if rows.height:
        rows.drop(START, strict=False).sort(pl.all(), nulls_last=True).write_parquet(path)


def row_spans(buckets: list[Bucket], rows: int) -> pl.Series:
    """Session starts that cut the log into spans of about ``rows`` events, in order."""
    starts = pl.concat([bucket.starts for bucket in buckets])
    minutes = starts.group_by(START).agg(pl.col("events").sum()).sort(START)
    span = (pl.col("events").cum_sum() - pl.col("events")) // rows
    return minutes.group_by(span.alias("span"), maintain_order=True).agg(pl.col(START).first())[START]
