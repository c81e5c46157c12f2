"""The rules that need the whole log: window, cut, rare items, short sessions, unknown items at test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.buckets import REPEAT, ROBOT, Bucket, Checker, Rows, write_quarantine
from recsys_gru.clicks.check import check_rules
from recsys_gru.clicks.filter import RARE, SHORT
from recsys_gru.clicks.frames import ITEM, SESSION
from recsys_gru.clicks.split import CUT_OFF
from recsys_gru.jit import kernel

WINDOW, UNKNOWN = "outside the window", "unknown item at test"
TRAIN, TEST = "train", "test"
OnProgress: TypeAlias = Callable[[str, int, int], None]


def rules_of(clicks: pl.LazyFrame) -> list[str]:
    """Every rule in the order in which they are applied."""
    return [*check_rules(clicks), REPEAT, ROBOT, WINDOW, CUT_OFF, RARE, SHORT, UNKNOWN]


class Law(NamedTuple):
    """What is decided over the whole log, and the levels of the rules that follow from it.

    Attributes:
        begin: where training begins, microseconds.
        cut: where training ends and testing begins, microseconds.
        min_length: events that a training session needs.
        window: the level of rows before ``begin``.
        cut_off: the level of rows after the cut of sessions that began before it.
        rare: the level of rows of rare items.
        short: the level of rows of short sessions.
        unknown: the level of test rows whose item training lacks.
        kept: the level of rows that no rule took.
    """

    begin: int
    cut: int
    min_length: int
    window: int
    cut_off: int
    rare: int
    short: int
    unknown: int
    kept: int


def law_of(rules: list[str], begin: int, cut: int, min_length: int) -> Law:
    """The law with the levels of its rules."""
    window, cut_off, rare, short, unknown = map(rules.index, (WINDOW, CUT_OFF, RARE, SHORT, UNKNOWN))
    return Law(begin, cut, min_length, window, cut_off, rare, short, unknown, kept=len(rules))


@kernel
def _level(time: int, too_rare: bool, law: Law) -> int:
    """The level of a training row by itself."""
    if time < law.begin:
        return law.window
    if time >= law.cut:
        return law.cut_off
    return law.rare if too_rare else law.kept


@kernel
def judge(rows: Rows, law: Law, rare: NDArray[np.bool_], support: NDArray[np.int64]) -> None:
    """Give each training row that breaks a rule its level, and count the others by item in ``support``."""
    end = 0
    for size in rows.sizes:
        start, end, left = end, end + size, 0
        first = start
        while first < end and rows.levels[first] != law.kept:
            first += 1
        if first == end or rows.times[first] >= law.cut:
            continue
        for row in range(first, end):
            if rows.levels[row] == law.kept:
                rows.levels[row] = _level(rows.times[row], rare[rows.items[row]], law)
                left += rows.levels[row] == law.kept
        for row in range(first, end):
            if rows.levels[row] == law.kept and left < law.min_length:
                rows.levels[row] = law.short
            elif rows.levels[row] == law.kept:
                support[rows.items[row]] += 1


@kernel
def outline(
    rows: Rows, law: Law, support: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """Mark test rows of unknown items, and give of each session the part (-1 none, 0 train, 1 test), its
    start and its events.
    """
    n_sessions, end = len(rows.sizes), 0
    part = np.full(n_sessions, -1, dtype=np.int8)
    starts, lengths = np.zeros(n_sessions, dtype=np.int64), np.zeros(n_sessions, dtype=np.int64)
    for session in range(n_sessions):
        start, end = end, end + rows.sizes[session]
        for row in range(start, end):
            if rows.levels[row] != law.kept:
                continue
            if part[session] < 0:
                part[session] = rows.times[row] >= law.cut
                starts[session] = rows.times[row]
            if part[session] == 1 and support[rows.items[row]] == 0:
                rows.levels[row] = law.unknown
            else:
                lengths[session] += 1
    return part, starts, lengths


@kernel
def last_rules(rows: Rows, by_item: NDArray[np.int8]) -> NDArray[np.int8]:
    """The highest level among the rows of each session, and in ``by_item`` of each item."""
    highest = np.full(len(rows.sizes), -1, dtype=np.int8)
    end = 0
    for session in range(len(rows.sizes)):
        start, end = end, end + rows.sizes[session]
        for row in range(start, end):
            level = rows.levels[row]
            highest[session] = max(highest[session], level)
            by_item[rows.items[row]] = max(by_item[rows.items[row]], level)
    return highest


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
