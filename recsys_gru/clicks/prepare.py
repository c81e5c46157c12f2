"""From a log of any size to packed training and test sessions, in bounded memory.

The log is cut into buckets by a hash of the session (or user) on disk; checks, sessions and filters work on
one bucket at a time. The rows that stay are cut anew, by the time their session begins, and packed in that
order. What grows with the log in memory is one number per item and two per session.
"""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import polars as pl

from recsys_gru.clicks.buckets import Bucket, check_bucket, owner_of, row_spans, scatter
from recsys_gru.clicks.check import ready, time_limits
from recsys_gru.clicks.finish import (
    TEST,
    TRAIN,
    Choice,
    OnProgress,
    finish_bucket,
    fixed_point,
    in_order,
    rules_of,
    vocabulary_of,
)
from recsys_gru.clicks.frames import ITEM, SESSION, START, USER, Frame, lazy
from recsys_gru.clicks.ledger import Ledger
from recsys_gru.clicks.packing import Packer, read_sessions
from recsys_gru.clicks.recipe import Recipe
from recsys_gru.clicks.scan import collect
from recsys_gru.clicks.sessions import Sessions
from recsys_gru.clicks.split import TEST_SHARE, tail_of_minutes
from recsys_gru.clicks.tally import Tally
from recsys_gru.clicks.vocabulary import Vocabulary
from recsys_gru.errors import ClickLogError, InputError

T = TypeVar("T")
ROWS_PER_BUCKET = 2_000_000
_SUMMARY = "prepared.json"


@dataclass(frozen=True)
class Prepared:
    """A prepared log on disk.

    Attributes:
        folder: train/ and test/ (packed sessions), quarantine/ (rejected rows with their reason),
            ledger.parquet.
        train: packed sessions before the cut, memory-mapped.
        test: packed sessions that begin at or after the cut, with the vocabulary of ``train``.
        cut: the moment between them, UTC.
        ledger: what every rule removed.
        counts: rows read, train, test and rejected; the first is the sum of the others.
    """

    folder: Path
    train: Sessions
    test: Sessions
    cut: datetime
    ledger: Ledger
    counts: dict[str, int]


def prepare(
    clicks: Frame,
    folder: str | Path,
    recipe: Recipe | None = None,
    *,
    rows_per_bucket: int = ROWS_PER_BUCKET,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """Check, sessionise, split, filter and pack a log of any size into a folder.

    ``clicks`` comes from read_clicks; ``on_progress`` is called with the stage and how many of its parts are
    done. The folder is written aside and renamed, and holds no half result. The answer is the same for any
    bucket size.

    Raises:
        InputError: the folder holds something else than a prepared log.
        ClickLogError: no usable training event is left.
        SchemaError: a column is missing.

    >>> import tempfile
    >>> from recsys_gru.clicks.generate import generate_clicks
    >>> prepared = prepare(generate_clicks(500, 50, days=5, seed=1), Path(tempfile.mkdtemp()) / "log")
    >>> prepared.counts["read"] == prepared.ledger.entries[0].before.rows
    True
    """
    place = Path(folder)
    if place.exists() and any(place.iterdir()) and not (place / _SUMMARY).exists():
        raise InputError(f"{place} holds other files; expected a new folder or one that prepare wrote")
    aside = place.with_name(f"{place.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        _Work(aside, recipe or Recipe(), rows_per_bucket, on_progress or _silent).run(ready(lazy(clicks)))
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return read_prepared(place)


def read_prepared(folder: str | Path) -> Prepared:
    """Open a folder that ``prepare`` wrote; the sessions are memory-mapped.

    Raises:
        ClickLogError: the folder is none, or damaged.
    """
    place = Path(folder)
    try:
        summary = json.loads((place / _SUMMARY).read_text())
        ledger = Ledger.read(place / "ledger.parquet")
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise ClickLogError(
            f"cannot open the prepared log {place}: {error}. What to do: prepare it again"
        ) from error
    train, test = (read_sessions(place / part) for part in ("train", "test"))
    return Prepared(place, train, test, datetime.fromisoformat(summary["cut"]), ledger, summary["counts"])


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody asked for progress."""


@dataclass(frozen=True)
class _Work:
    """One run of ``prepare``: where it writes and what it was told."""

    folder: Path
    recipe: Recipe
    rows_per_bucket: int
    tell: OnProgress

    def run(self, clicks: pl.LazyFrame) -> None:
        """All stages, each reading what the one before wrote."""
        rows, owner = int(collect(clicks.select(pl.len())).item()), owner_of(clicks)
        limits = time_limits(clicks)
        n_buckets = math.ceil(rows / self.rows_per_bucket) or 1
        raw = scatter(clicks, pl.col(owner).hash(0) % n_buckets, self.folder / "work" / "raw")
        buckets = self._told("check", [partial(self._check, path, limits) for path in raw])
        cut = self._cut(buckets)
        begin = cut - self.recipe.window if self.recipe.window is not None else None
        choice = Choice(owner, cut, begin, self.recipe.min_length)
        choice = fixed_point(buckets, choice, self.recipe.min_support, self.tell)
        tally = Tally(rules_of(clicks))
        jobs = [partial(finish_bucket, bucket, self.folder, choice, tally) for bucket in buckets]
        vocabulary = vocabulary_of(self._told("filter", jobs), owner)
        spans = row_spans(buckets, self.rows_per_bucket)
        train = self._pack(TRAIN, spans, owner, vocabulary)
        test = self._pack(TEST, spans, owner, vocabulary, first_id=train.n_sessions)
        counts = {"read": rows, TRAIN: train.n_events, TEST: test.n_events}
        self._sum_up(cut, tally.ledger(), counts | {"rejected": rows - train.n_events - test.n_events})

    def _check(self, path: Path, limits: tuple[int, int]) -> Bucket:
        return check_bucket(path, self.folder, self.recipe, limits)

    def _told(self, stage: str, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """Do the jobs of a stage and tell after each one."""
        results = []
        for done, job in enumerate(jobs, start=1):
            results.append(job())
            self.tell(stage, done, len(jobs))
        return results

    def _cut(self, buckets: list[Bucket]) -> datetime:
        ends = [bucket.last for bucket in buckets if bucket.last is not None]
        if not ends:
            raise ClickLogError(
                "expected usable clicks; every row broke a rule. What to do: run check_clicks and look"
            )
        if self.recipe.test is not None:
            return max(ends) - self.recipe.test
        return tail_of_minutes(pl.concat([bucket.starts for bucket in buckets]), TEST_SHARE)

    def _pack(
        self, part: str, spans: pl.Series, owner: str, vocabulary: Vocabulary, first_id: int = 0
    ) -> Sessions:
        rows = pl.scan_parquet(self.folder / "work" / part / "*.parquet")
        words = pl.LazyFrame({ITEM: vocabulary.ids})
        n_events = int(collect(rows.join(words, on=ITEM, how="semi").select(pl.len())).item())
        span = pl.sum_horizontal((pl.col(START) >= start).cast(pl.Int64) for start in spans)
        packer = Packer(self.folder / part, n_events, vocabulary)

        def add(path: Path) -> None:
            table = in_order(pl.read_parquet(path), owner)
            packer.add(table if owner == SESSION else _numbered(table, first_id + packer.n_sessions))

        paths = scatter(rows, span, self.folder / "work" / f"{part}-spans")
        self._told(f"pack {part}", [partial(add, path) for path in paths])
        return packer.close()

    def _sum_up(self, cut: datetime, ledger: Ledger, counts: dict[str, int]) -> None:
        ledger.write(self.folder / "ledger.parquet")
        shutil.rmtree(self.folder / "work")
        summary = {
            "cut": cut.isoformat(),
            "counts": counts,
            "recipe": {k: str(v) for k, v in asdict(self.recipe).items()},
        }
        (self.folder / _SUMMARY).write_text(json.dumps(summary, indent=1))


def _numbered(table: pl.DataFrame, first: int) -> pl.DataFrame:
    """Sessions of users numbered in their final order."""
    begins = (pl.col(START) != pl.col(START).shift()) | (pl.col(USER) != pl.col(USER).shift())
    return table.with_columns(
        (begins.fill_null(value=True).cum_sum().cast(pl.Int64) - 1 + first).alias(SESSION)
    )
