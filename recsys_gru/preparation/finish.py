"""The rules that need the whole log: window, cut, rare items, short sessions, unknown items at test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.check import check_rules
from recsys_gru.clicks.frames import ITEM, SESSION
from recsys_gru.kernels.rules import Law, Rows, judge, last_rules, outline
from recsys_gru.preparation.buckets import REPEAT, ROBOT, Bucket, Checker, write_quarantine
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
    buckets: list[Bucket], law: Law, min_support: int, n_items: int, tell: OnProgress
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find the items that are too rare, and the support of the others, when rare items and short sessions
    are dropped until nothing changes.

    Only the rare items are remembered from round to round: given them, the sessions that stay follow.
    """
    rare = np.zeros(n_items, dtype=np.bool_)
    rounds = 0
    while True:
        support = np.zeros(n_items, dtype=np.int64)
        for bucket in buckets:
            judge(_judged(bucket), law, rare, support)
        more = (support > 0) & (support < min_support)
        rounds += 1
        tell("fixed point", rounds, rounds + bool(more.any()))
        if not more.any():
            return rare, support
        rare |= more


def _judged(bucket: Bucket) -> Rows:
    """The rows of a bucket with levels that may be written to."""
    rows = bucket.rows()
    return rows._replace(levels=np.array(rows.levels))


@dataclass(frozen=True)
class Finisher:
    """Applies the rules of the whole log to each bucket, once they are known.

    Attributes:
        checker: where rows go, and what was counted so far.
        law: the rules.
        rare: whether an item is too rare, by number.
        support: training events by item number.
        last_rule: the highest level among the rows of each item, filled bucket by bucket.
    """

    checker: Checker
    law: Law
    rare: NDArray[np.bool_]
    support: NDArray[np.int64]
    last_rule: NDArray[np.int8]

    @property
    def of_users(self) -> bool:
        """Whether sessions were cut out of the clicks of users."""
        return f"null {SESSION}" not in self.checker.rules

    def finish(self, number: int, bucket: Bucket) -> pl.DataFrame:
        """Write which rule took each row and the rows it took; gives the sessions that stay."""
        rows = _judged(bucket)
        judge(rows, self.law, self.rare, np.zeros_like(self.support))
        part, starts, lengths = outline(rows, self.law, self.support)
        by_session = last_rules(rows, self.last_rule)
        self.checker.tally.add_levels(rows.levels, by_session)
        bucket.keep_levels(rows.levels)
        rules = self.checker.rules
        taken = bucket.frame(rows.levels < self.law.kept, self.checker.items, rules)
        write_quarantine(taken, self.checker.folder / "quarantine" / f"log-{number}.parquet")
        return (
            bucket.ids()
            .with_columns(
                pl.Series("part", part),
                pl.Series("start", starts),
                pl.Series("length", lengths),
                pl.int_range(pl.len(), dtype=pl.Int32).alias("session"),
                pl.lit(number, dtype=pl.Int32).alias("bucket"),
            )
            .filter(pl.col("part") >= 0)
        )

    def close(self) -> None:
        """Tell the tally of the items, when the last bucket is finished."""
        items = self.checker.items.ids().alias(ITEM)
        seen = pl.DataFrame({ITEM: items, "level": self.last_rule.astype(np.int64)})
        self.checker.tally.add_items(seen.filter(pl.col("level") >= 0))
