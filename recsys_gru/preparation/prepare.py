"""From a log of any size to packed training and test sessions, in bounded memory.

A log that is larger than one bucket is dealt out to several by a hash of the session (or user) on disk;
checks, sessions and filters work on one bucket at a time. The first stage turns ids into numbers; later ones
see arrays only. The events that stay go straight to their place in mapped arrays. What grows with the log in
memory is some numbers per item, and some numbers and the id per session.
"""

import json
import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from recsys_gru.arguments import flag, function, whole_number
from recsys_gru.arguments import place as path_text
from recsys_gru.clicks.believable import Limits, time_limits
from recsys_gru.clicks.check import BY_ITEM, ready
from recsys_gru.clicks.frames import ITEM, SESSION, TIME, Frame
from recsys_gru.clicks.ledger import Ledger, Size, Tally
from recsys_gru.clicks.order import by_item
from recsys_gru.clicks.recipe import Recipe, recipe_in
from recsys_gru.clicks.scan import collect
from recsys_gru.errors import ClickLogError, InputError
from recsys_gru.kernels.packing import number_by_appearance
from recsys_gru.preparation.buckets import (
    ROWS_AT_ONCE,
    Bucket,
    Checker,
    dealt,
    last_of,
    scan_dealt,
    scatter,
)
from recsys_gru.preparation.finish import TEST, TRAIN, Finisher, OnProgress, fixed_point, law_of, rules_of
from recsys_gru.preparation.packer import Packer
from recsys_gru.preparation.place import recover, replace, replaced, sealed
from recsys_gru.preparation.place import verify as verify_files
from recsys_gru.sessions.files import DAMAGED, PREPARED, read_sessions, require_files
from recsys_gru.sessions.packed import POSITION, Sessions
from recsys_gru.sessions.split import TEST_SHARE, tail_of_minutes
from recsys_gru.sessions.vocabulary import Vocabulary

log = logging.getLogger("recsys_gru")

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVER = datetime(1, 1, 1, tzinfo=UTC)


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

    def test_part(self) -> tuple[Size, Size]:
        """What the rules left, and what of it is to learn from: the line of the ledger that follows them."""
        parts = (self.train, self.test)
        rows, sessions = sum(part.n_events for part in parts), sum(part.n_sessions for part in parts)
        both = Size(rows, sessions, len(self.train.vocabulary))  # the test part has no other items
        left = Size(self.train.n_events, self.train.n_sessions, len(self.train.vocabulary))
        return self.ledger.entries[-1].after if self.ledger.entries else both, left


def prepare(
    clicks: Frame,
    folder: str | Path,
    recipe: Recipe | None = None,
    *,
    rows_per_bucket: int = ROWS_AT_ONCE,
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
        ParameterError: an argument is impossible.

    >>> import tempfile
    >>> from recsys_gru.clicks.generate import generate_clicks
    >>> prepared = prepare(generate_clicks(500, 50, days=5, seed=1), Path(tempfile.mkdtemp()) / "log")
    >>> prepared.counts["read"] == prepared.ledger.entries[0].before.rows
    True
    """
    place = Path(path_text("folder", folder))
    work = _Work(
        place.with_name(f"{place.name}.partial"),
        recipe_in(recipe),
        whole_number("rows_per_bucket", rows_per_bucket, 1),
        on_progress or _silent,
    )
    function("on_progress", work.tell)
    rows = ready(clicks)
    recover(place)
    if place.exists() and any(place.iterdir()) and not (place / PREPARED).exists():
        raise InputError(f"{place} holds other files; expected a new folder or one that prepare wrote")
    shutil.rmtree(work.folder, ignore_errors=True)
    work.folder.mkdir(parents=True)
    try:
        work.run(rows)
        replace(place, work.folder)
    finally:
        shutil.rmtree(work.folder, ignore_errors=True)
    return read_prepared(place)


def read_prepared(folder: str | Path, *, verify: bool = False) -> Prepared:
    """Open a folder that ``prepare`` wrote; the sessions are memory-mapped.

    Lengths and bounds of all arrays are checked in any case; with ``verify`` every file is read and held
    against its SHA-256, so that not one changed bit goes unnoticed.

    Raises:
        ClickLogError: the folder is none, or damaged.
        ParameterError: ``folder`` is no path.
    """
    place, verify = Path(path_text("folder", folder)), flag("verify", verify)
    if not place.exists() and replaced(place).exists():
        place = replaced(place)  # a prepare was broken off, or is just putting its result in place
    try:
        require_files(place)
        summary = json.loads((place / PREPARED).read_text())
        cut, counts = datetime.fromisoformat(summary["cut"]), dict(summary["counts"])
        if verify:
            verify_files(place, summary)
        ledger = Ledger.read(place / "ledger.parquet")
        rows = counts["read"], counts[TRAIN], counts[TEST], counts["rejected"]
        train, test = (read_sessions(place / part) for part in (TRAIN, TEST))
    except DAMAGED as error:
        raise ClickLogError(
            f"cannot open the prepared log {place}: {error}. What to do: prepare it again"
        ) from error
    if rows[0] != sum(rows[1:]) or rows[1:3] != (train.n_events, test.n_events):
        raise ClickLogError(f"the counts in {place / PREPARED} do not add up. What to do: prepare it again")
    return Prepared(place, train, test, cut, ledger, counts)


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
        """All stages, each on the arrays that the one before wrote."""
        rows, rules = int(collect(clicks.select(pl.len())).item()), rules_of(clicks)
        checker, buckets = self._checked(clicks, rules, math.ceil(rows / self.rows_per_bucket) or 1)
        cut = self._cut(buckets)
        begin = cut - self.recipe.window if self.recipe.window is not None else _EVER
        law = law_of(rules, _micros(begin), _micros(cut), self.recipe.min_length)
        n_items = len(checker.items)
        found = fixed_point(buckets, law, self.recipe.min_support, n_items, self.tell)
        finisher = Finisher(checker, law, *found, np.full(n_items, -1, dtype=np.int8))
        jobs = [partial(finisher.finish, number, bucket) for number, bucket in enumerate(buckets)]
        train, test = self._pack(buckets, self._told("filter", jobs), finisher)
        finisher.close()
        counts = {"read": rows, TRAIN: train, TEST: test, "rejected": rows - train - test}
        self._sum_up(cut, checker.tally.ledger(), counts)

    def _checked(
        self, clicks: pl.LazyFrame, rules: list[str], n_buckets: int
    ) -> tuple[Checker, list[Bucket]]:
        """Check a log that fits into one bucket at once; deal a larger one out to several first.

        Where clicks of equal time turn out to lie in the order of their items, all is checked once more.
        """
        raw = self.folder / "work" / "raw"
        if n_buckets == 1:
            rows = collect(clicks)
            limits, parts = time_limits(rows.lazy()), [rows.lazy()]
        else:
            paths = scatter(clicks, n_buckets, raw)
            limits, parts = time_limits(scan_dealt(paths)), [dealt(path) for path in paths]
        checker = Checker(self.folder, self.recipe, rules, Tally(rules))
        buckets = self._buckets(checker, parts, limits)
        if by_item(np.sum([bucket.steps for bucket in buckets], axis=0)):
            log.warning("%s", BY_ITEM)
            for number in range(len(buckets)):
                shutil.rmtree(self.folder / "work" / f"bucket-{number}")
            checker = Checker(self.folder, self.recipe, rules, Tally(rules), hashed=True)
            buckets = self._buckets(checker, parts, limits)
        shutil.rmtree(raw, ignore_errors=True)
        return checker, buckets

    def _buckets(self, checker: Checker, parts: Sequence[pl.LazyFrame], limits: Limits) -> list[Bucket]:
        def check(number: int, part: pl.LazyFrame) -> Bucket:
            return checker.check(number, collect(part), limits)

        return self._told("check", [partial(check, number, part) for number, part in enumerate(parts)])

    def _told(self, stage: str, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """Do the jobs of a stage and tell after each one."""
        results = []
        for done, job in enumerate(jobs, start=1):
            results.append(job())
            self.tell(stage, done, len(jobs))
        return results

    def _cut(self, buckets: list[Bucket]) -> datetime:
        last = last_of(buckets)
        if last is None:
            raise ClickLogError(
                "expected usable clicks; every row broke a rule. What to do: run check_clicks and look"
            )
        if self.recipe.test is not None:
            return last - self.recipe.test
        return tail_of_minutes(pl.concat([bucket.starts for bucket in buckets]), TEST_SHARE)

    def _pack(
        self, buckets: list[Bucket], sessions: list[pl.DataFrame], finisher: Finisher
    ) -> tuple[int, int]:
        """Write both parts and give their events; sessions of users get numbers in their final order."""
        items, law = finisher.checker.items.ids(), finisher.law
        numbers = np.full(len(items), -1, dtype=np.int32)
        train = self._placed(TRAIN, buckets, [one.filter(pl.col("part") == 0) for one in sessions], law.kept)
        number_by_appearance(train.items, numbers)
        by_number = np.argsort(numbers, kind="stable")[np.count_nonzero(numbers < 0) :]
        if not len(by_number):
            raise ClickLogError(
                "expected training events; no rule left any. What to do: lower min_support or shorten test"
            )
        vocabulary = Vocabulary(items[by_number], finisher.support[by_number])
        test = self._placed(TEST, buckets, [one.filter(pl.col("part") == 1) for one in sessions], law.kept)
        number_by_appearance(test.items, numbers)
        lost = pl.concat([test.unknown(number, bucket, law.unknown) for number, bucket in enumerate(buckets)])
        lost = lost.sort("rank", POSITION)
        ids, test_ids = train.sessions[SESSION], test.sessions[SESSION]
        if finisher.of_users:
            ids = pl.int_range(len(ids), eager=True)
            test_ids = pl.int_range(len(ids), len(ids) + len(test_ids), eager=True)
        lost = lost.select(
            test_ids[lost["rank"]].alias(SESSION), POSITION, items[lost["item"]].alias(ITEM), TIME
        )
        return train.close(ids, lost.clear(), vocabulary), test.close(test_ids, lost, vocabulary)

    def _placed(self, part: str, buckets: list[Bucket], sessions: list[pl.DataFrame], kept: int) -> Packer:
        packer = Packer(self.folder / part, pl.concat(sessions), kept)
        jobs = [partial(packer.add, number, bucket) for number, bucket in enumerate(buckets)]
        self._told(f"pack {part}", jobs)
        return packer

    def _sum_up(self, cut: datetime, ledger: Ledger, counts: dict[str, int]) -> None:
        ledger.write(self.folder / "ledger.parquet")
        shutil.rmtree(self.folder / "work")
        summary = {
            "cut": cut.isoformat(),
            "counts": counts,
            "recipe": {k: str(v) for k, v in asdict(self.recipe).items()},
        }
        (self.folder / PREPARED).write_text(json.dumps(sealed(self.folder, summary), indent=1))


def _micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
