"""The rules that need the whole log: window, cut, rare items, short sessions, unknown items at test."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.check import check_rules
from recsys_gru.clicks.frames import ITEM
from recsys_gru.clicks.ledger import Ledger, Tally
from recsys_gru.engines import Engine
from recsys_gru.files import Place, is_whole, whole
from recsys_gru.kernels.rules import Law, Rows, judge, last_rules, outline
from recsys_gru.preparation.buckets import (
    FINISHED,
    REPEAT,
    ROBOT,
    Bucket,
    ItemNumbers,
    quick,
    write_quarantine,
)
from recsys_gru.sessions.filter import RARE, SHORT
from recsys_gru.sessions.split import CUT_OFF

WINDOW, UNKNOWN = "outside the window", "unknown item at test"
TRAIN, TEST = "train", "test"
OnProgress: TypeAlias = Callable[[str, int, int], None]


def rules_of(clicks: pl.LazyFrame) -> list[str]:
    """Every rule in the order in which they are applied."""
    return [*check_rules(clicks), REPEAT, ROBOT, WINDOW, CUT_OFF, RARE, SHORT, UNKNOWN]


def law_of(rules: list[str], begin: int, cut: int, min_length: int) -> Law:
    """The law with the levels of its rules."""
    window, cut_off, rare, short, unknown = map(rules.index, (WINDOW, CUT_OFF, RARE, SHORT, UNKNOWN))
    return Law(begin, cut, min_length, window, cut_off, rare, short, unknown, kept=len(rules))


def fixed_point(
    buckets: list[Bucket], law: Law, min_support: int, n_items: int, engine: Engine, tell: OnProgress
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find the items that are too rare, and the support of the others, when rare items and short sessions
    are dropped until nothing changes.

    Only the rare items are remembered from round to round: given them, the sessions that stay follow.
    """
    rare = np.zeros(n_items, dtype=np.bool_)
    rounds = 0
    while True:
        support = np.zeros(n_items, dtype=np.int64)
        tasks = ((bucket, rare[bucket.numbers()]) for bucket in buckets)
        for bucket, counted in zip(buckets, engine.map(partial(_supported, law), tasks), strict=True):
            support[bucket.numbers()] += counted
        more = (support > 0) & (support < min_support)
        rounds += 1
        tell("fixed point", rounds, rounds + bool(more.any()))
        if not more.any():
            return rare, support
        rare |= more


def _supported(law: Law, task: tuple[Bucket, NDArray[np.bool_]]) -> NDArray[np.int64]:
    """The events that each item of a bucket keeps, given which ones are too rare."""
    bucket, rare = task
    support = np.zeros(len(rare), dtype=np.int64)
    with bucket.here(*(f"{name}.npy" for name in Rows._fields)) as one:
        judge(one.rows(), law, np.array(rare), support)  # from elsewhere an array comes read-only
    return support


@dataclass(frozen=True)
class Known:
    """What a bucket needs to know of the whole log to be finished, by its own numbers of items.

    Attributes:
        bucket: the bucket.
        rare: whether an item is too rare.
        support: training events of an item.
    """

    bucket: Bucket
    rare: NDArray[np.bool_]
    support: NDArray[np.int64]


@dataclass(frozen=True)
class Finisher:
    """Applies the rules of the whole log to each bucket, once they are known.

    Attributes:
        folder: where quarantine goes.
        rules: all rules in their order.
        law: those of the whole log.
    """

    folder: Place
    rules: list[str]
    law: Law

    def finish(self, known: Known) -> None:
        """Write what became of a bucket, the sessions that stay among it, and the rows that were taken,
        unless that is done.
        """
        place = known.bucket.home / FINISHED
        if not is_whole(place):
            with known.bucket.here() as bucket, whole(place) as aside:
                self._finish(replace(known, bucket=bucket), aside)

    def _finish(self, known: Known, place: Path) -> None:
        bucket, rows, support = known.bucket, known.bucket.rows(), np.array(known.support)
        judge(rows, self.law, np.array(known.rare), np.zeros_like(support))
        part, starts, lengths = outline(rows, self.law, support)
        by_item = np.full(len(support), -1, dtype=np.int8)
        tally = Tally(self.rules)
        tally.add_levels(rows.levels, last_rules(rows, by_item))
        tally.write(place)
        for name, array in (("levels", rows.levels), ("by_item", by_item)):
            np.save(place / f"{name}.npy", array)
        taken = bucket.frame(rows, rows.levels < self.law.kept, self.rules)
        write_quarantine(taken, self.folder / "quarantine" / f"log-{bucket.number}.parquet")
        sessions = bucket.ids().with_columns(
            pl.Series("part", part),
            pl.Series("start", starts),
            pl.Series("length", lengths),
            pl.int_range(pl.len(), dtype=pl.Int32).alias("session"),
            pl.lit(bucket.number, dtype=pl.Int32).alias("bucket"),
        )
        quick(sessions.filter(pl.col("part") >= 0), place / "sessions.parquet")


def sessions_of(bucket: Bucket) -> pl.DataFrame:
    """The sessions that stay of a finished bucket."""
    return pl.read_parquet(bucket.folder / FINISHED / "sessions.parquet", glob=False)


def summed_up(buckets: list[Bucket], rules: list[str], items: ItemNumbers) -> Ledger:
    """What every rule took from the finished buckets together."""
    tally, last_rule = Tally(rules), np.full(len(items), -1, dtype=np.int8)
    for bucket in buckets:
        tally.add_written(bucket.folder)
        tally.add_written(bucket.folder / FINISHED)
        numbers = bucket.numbers()
        by_item = np.load(bucket.folder / FINISHED / "by_item.npy")
        last_rule[numbers] = np.maximum(last_rule[numbers], by_item)
    seen = pl.DataFrame({ITEM: items.ids(), "level": last_rule.astype(np.int64)})
    tally.add_items(seen.filter(pl.col("level") >= 0))
    return tally.ledger()
