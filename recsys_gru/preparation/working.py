"""One run of ``prepare``: stage after stage, each on the arrays that the one before wrote."""

import json
import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.believable import time_limits
from recsys_gru.clicks.check import BY_ITEM
from recsys_gru.clicks.frames import ITEM, SESSION, TIME
from recsys_gru.clicks.ledger import Ledger
from recsys_gru.clicks.order import by_item
from recsys_gru.clicks.recipe import Recipe
from recsys_gru.clicks.scan import collect
from recsys_gru.engines import Engine, Local
from recsys_gru.errors import ClickLogError
from recsys_gru.files import Place, Url, at_hand, exists, fetch, objects_in, read_text, remove, write_text
from recsys_gru.kernels.packing import number_by_appearance
from recsys_gru.kernels.rules import Law
from recsys_gru.preparation.buckets import FINISHED, Bucket, Checker, ItemNumbers, last_of
from recsys_gru.preparation.dealing import Dealer, column_sums, dealt, key_of, scan_dealt, stretches
from recsys_gru.preparation.finish import (
    TEST,
    TRAIN,
    Finisher,
    Known,
    OnProgress,
    fixed_point,
    law_of,
    rules_of,
    sessions_of,
    summed_up,
)
from recsys_gru.preparation.packer import Packer
from recsys_gru.preparation.place import sealed
from recsys_gru.sessions.files import PREPARED
from recsys_gru.sessions.packed import POSITION
from recsys_gru.sessions.split import TEST_SHARE, tail_of_minutes
from recsys_gru.sessions.vocabulary import Vocabulary

log = logging.getLogger("recsys_gru")

Task = TypeVar("Task")
Result = TypeVar("Result")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_CHECKED, _QUARANTINE = "checked.json", "quarantine"


@dataclass(frozen=True)
class Work:
    """Where a run writes and what it was told.

    Attributes:
        folder: what it fills, with a folder ``work`` in it that is gone at the end.
        shared: where the workers read and write: the folder itself, or one in an object store.
        recipe: the rules' settings.
        rows_per_bucket: rows that are in memory together, of each worker.
        engine: moves the buckets.
        tell: called after each bucket.
    """

    folder: Path
    shared: Place
    recipe: Recipe
    rows_per_bucket: int
    engine: Engine
    tell: OnProgress

    @property
    def work(self) -> Place:
        """Where what is needed until the end lies."""
        return self.shared / "work"

    def run(self, clicks: pl.LazyFrame) -> None:
        """All stages."""
        rows, rules = int(collect(clicks.select(pl.len())).item()), rules_of(clicks)
        if self.engine.lasting:
            self._go_on(clicks, rows)
        buckets = self._checked(clicks, rules, rows)
        cut = self._cut(buckets)
        begin = cut - self.recipe.window if self.recipe.window is not None else _EVER
        law = law_of(rules, _micros(begin), _micros(cut), self.recipe.min_length)
        items = ItemNumbers()
        for bucket in buckets:
            bucket.number_items(items)
        rare, support = fixed_point(buckets, law, self.recipe.min_support, len(items), self.engine, self.tell)
        known = (Known(one, rare[(own := one.numbers())], support[own]) for one in buckets)
        self._told("filter", Finisher(self.shared, rules, law).finish, known, len(buckets))
        for bucket in buckets:
            at_hand(bucket.home / FINISHED, bucket.folder / FINISHED)
        train, test = self._pack(buckets, law, items.ids(), support, of_users=f"null {SESSION}" not in rules)
        counts = {"read": rows, TRAIN: train, TEST: test, "rejected": rows - train - test}
        self._sum_up(cut, summed_up(buckets, rules, items), counts)

    def _go_on(self, clicks: pl.LazyFrame, rows: int) -> None:
        """Keep what a killed run of the same work left; of any other work nothing stays."""
        tasks = stretches(rows, self.engine.workers)
        sums = self._told("read", partial(column_sums, clicks), tasks, len(tasks))
        key = key_of(sums, clicks.collect_schema(), rows, self.rows_per_bucket, asdict(self.recipe))
        if not exists(self.work / key):
            remove(self.shared)
            if isinstance(self.work, Path):
                self.work.mkdir(parents=True)
            write_text(self.work / key, "")

    def _checked(self, clicks: pl.LazyFrame, rules: list[str], rows: int) -> list[Bucket]:
        """Check a log that fits into one bucket at once; deal a larger one out to several first.

        Where clicks of equal time turn out to lie in the order of their items, all is checked once more.
        """
        if exists(done := self.work / _CHECKED):
            return self._at_hand(self.work / name for name in json.loads(read_text(done)))
        n_buckets, raw = math.ceil(rows / self.rows_per_bucket) or 1, self.work / f"raw-{self.engine.workers}"
        if n_buckets == 1 and not (self.engine.lasting and rows):
            whole = collect(clicks)
            limits, parts = time_limits(whole.lazy()), [whole.lazy()]
        else:
            tasks = stretches(rows, self.engine.workers)
            self._told("deal", Dealer(clicks, n_buckets, raw).deal, tasks, len(tasks))
            limits, parts = time_limits(scan_dealt(raw)), dealt(raw)
        checker = Checker(self.shared, self.work, self.recipe, rules, limits)
        homes = self._told("check", checker.check, enumerate(parts), len(parts))
        buckets = self._at_hand(homes)
        if by_item(np.sum([bucket.facts()["steps"] for bucket in buckets], axis=0)):
            log.warning("%s", BY_ITEM)
            checker = replace(checker, work=self.work / "hashed", hashed=True)
            homes = self._told("check", checker.check, enumerate(parts), len(parts))
            buckets = self._at_hand(homes)
        write_text(done, json.dumps([str(home.relative_to(self.work)) for home in homes]))
        remove(raw)
        return buckets

    def _at_hand(self, homes: Iterable[Place]) -> list[Bucket]:
        """The buckets that lie there, on this machine."""
        here = self.folder / "work"
        return [
            Bucket(number, at_hand(home, here / home.relative_to(self.work)), home)
            for number, home in enumerate(homes)
        ]

    def _told(
        self, stage: str, function: Callable[[Task], Result], tasks: Iterable[Task], total: int
    ) -> list[Result]:
        """Do the tasks of a stage and tell after each one."""
        results = []
        for done, result in enumerate(self.engine.map(function, tasks), start=1):
            results.append(result)
            self.tell(stage, done, total)
        return results

    def _cut(self, buckets: list[Bucket]) -> datetime:
        last = last_of(buckets)
        if last is None:
            raise ClickLogError(
                "expected usable clicks; every row broke a rule. What to do: run check_clicks and look"
            )
        if self.recipe.test is not None:
            return last - self.recipe.test
        return tail_of_minutes(pl.concat([bucket.starts() for bucket in buckets]), TEST_SHARE)

    def _pack(
        self,
        buckets: list[Bucket],
        law: Law,
        items: pl.Series,
        support: NDArray[np.int64],
        *,
        of_users: bool,
    ) -> tuple[int, int]:
        """Write both parts and give their events; sessions of users get numbers in their final order.

        It is done here alone: two machines must not write to one page of a mapped file.
        """
        sessions = [sessions_of(bucket) for bucket in buckets]
        numbers = np.full(len(items), -1, dtype=np.int32)
        train = self._placed(TRAIN, buckets, [one.filter(pl.col("part") == 0) for one in sessions], law.kept)
        number_by_appearance(train.items, numbers)
        by_number = np.argsort(numbers, kind="stable")[np.count_nonzero(numbers < 0) :]
        if not len(by_number):
            raise ClickLogError(
                "expected training events; no rule left any. What to do: lower min_support or shorten test"
            )
        vocabulary = Vocabulary(items[by_number], support[by_number])
        test = self._placed(TEST, buckets, [one.filter(pl.col("part") == 1) for one in sessions], law.kept)
        number_by_appearance(test.items, numbers)
        lost = pl.concat([test.unknown(bucket, law.unknown) for bucket in buckets])
        lost = lost.sort("rank", POSITION)
        ids, test_ids = train.sessions[SESSION], test.sessions[SESSION]
        if of_users:
            ids = pl.int_range(len(ids), eager=True)
            test_ids = pl.int_range(len(ids), len(ids) + len(test_ids), eager=True)
        lost = lost.select(
            test_ids[lost["rank"]].alias(SESSION), POSITION, items[lost["item"]].alias(ITEM), TIME
        )
        return train.close(ids, lost.clear(), vocabulary), test.close(test_ids, lost, vocabulary)

    def _placed(self, part: str, buckets: list[Bucket], sessions: list[pl.DataFrame], kept: int) -> Packer:
        remove(self.folder / part)  # of a run that was killed
        packer = Packer(self.folder / part, pl.concat(sessions), kept)
        for done, bucket in enumerate(buckets, start=1):
            packer.add(bucket)
            self.tell(f"pack {part}", done, len(buckets))
        return packer

    def _sum_up(self, cut: datetime, ledger: Ledger, counts: dict[str, int]) -> None:
        ledger.write(self.folder / "ledger.parquet")
        engine = self._gather()
        remove(self.folder / "work")
        summary = {
            "cut": cut.isoformat(),
            "counts": counts,
            "recipe": {k: str(v) for k, v in asdict(self.recipe).items()},
        }
        (self.folder / PREPARED).write_text(json.dumps(sealed(self.folder, summary, engine), indent=1))

    def _gather(self) -> Engine:
        """Have all of the result in the folder; gives whoever can read it there."""
        (self.folder / _QUARANTINE).mkdir(exist_ok=True)
        if not isinstance(self.shared, Url):
            return self.engine
        lies = self.shared / _QUARANTINE
        fetch(lies, self.folder / _QUARANTINE, [url.name for url in objects_in(lies)])
        return Local()


def _micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
