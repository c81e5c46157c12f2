"""The rules that need the whole log: window, cut, rare items, short sessions, unknown items at test."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import polars as pl

from recsys_gru.clicks.buckets import REPEAT, ROBOT, Bucket, mark, write_quarantine
from recsys_gru.clicks.check import REASON, check_rules
from recsys_gru.clicks.filter import RARE, SHORT
from recsys_gru.clicks.frames import ITEM, SESSION, START, TIME
from recsys_gru.clicks.split import CUT_OFF
from recsys_gru.clicks.tally import Tally
from recsys_gru.clicks.vocabulary import SUPPORT, Vocabulary
from recsys_gru.errors import ClickLogError

WINDOW, UNKNOWN = "outside the window", "unknown item at test"
TRAIN, TEST = "train", "test"
OnProgress: TypeAlias = Callable[[str, int, int], None]


def rules_of(clicks: pl.LazyFrame) -> list[str]:
    """Every rule in the order in which they are applied."""
    return [*check_rules(clicks), REPEAT, ROBOT, WINDOW, CUT_OFF, RARE, SHORT, UNKNOWN]


def _no_items() -> pl.DataFrame:
    return pl.DataFrame(schema={ITEM: pl.Null})


@dataclass(frozen=True)
class Choice:
    """What was decided by looking at the whole log.

    Attributes:
        owner: the column that, with the start, tells the sessions of all buckets apart.
        cut: where training ends and testing begins.
        begin: where training begins, None for everything.
        min_length: events that a training session needs.
        rare: items too rare for training.
        known: the items that stay, with their support.
    """

    owner: str
    cut: datetime
    begin: datetime | None
    min_length: int
    rare: pl.DataFrame = field(default_factory=_no_items)
    known: pl.DataFrame = field(default_factory=_no_items)

    @property
    def tested(self) -> pl.Expr:
        """Rows of sessions that belong to the test part."""
        return pl.col(START) >= self.cut

    @property
    def too_early(self) -> pl.Expr:
        """Training rows before the window."""
        return pl.lit(value=False) if self.begin is None else ~self.tested & (pl.col(TIME) < self.begin)

    @property
    def cut_off(self) -> pl.Expr:
        """Rows after the cut of sessions that began before it."""
        return ~self.tested & (pl.col(TIME) >= self.cut)


def fixed_point(buckets: list[Bucket], choice: Choice, min_support: int, tell: OnProgress) -> Choice:
    """Find the items that stay when rare items and short sessions are dropped until nothing changes.

    Only the rare items are remembered from round to round: given them, the sessions that stay follow.
    """
    rounds = 0
    while True:
        counts = pl.concat([_support(bucket, choice) for bucket in buckets])
        support = counts.group_by(ITEM).agg(pl.col("len").sum())
        rare = support.filter(pl.col("len") < min_support).select(ITEM)
        rounds += 1
        tell("fixed point", rounds, rounds + bool(rare.height))
        if rare.is_empty():
            return replace(choice, known=support)
        choice = replace(choice, rare=rare if choice.rare.is_empty() else pl.concat([choice.rare, rare]))


def _support(bucket: Bucket, choice: Choice) -> pl.DataFrame:
    good = pl.scan_parquet(bucket.events).filter(pl.col(REASON).is_null() & ~choice.tested)
    rows = good.filter(~choice.too_early & ~choice.cut_off).select(SESSION, ITEM).collect()
    if choice.rare.height:
        rows = rows.join(choice.rare, on=ITEM, how="anti")
    long_enough = rows.filter(pl.len().over(SESSION) >= choice.min_length)
    return long_enough.group_by(ITEM).len()


def finish_bucket(bucket: Bucket, folder: Path, choice: Choice, tally: Tally) -> pl.DataFrame:
    """Write what stays and what does not; gives the first appearance of each item in the training part."""
    table = pl.read_parquet(bucket.events)
    fresh = table[REASON].is_null()
    tested = choice.tested
    for rule, broken in (
        (WINDOW, choice.too_early),
        (CUT_OFF, choice.cut_off),
        (RARE, _within(table, choice.rare)),
    ):
        table = mark(table, broken & ~tested if rule == RARE else broken, rule)
    left = pl.col(REASON).is_null()
    table = mark(table, ~tested & (left.sum().over(SESSION) < choice.min_length), SHORT)
    table = mark(table, tested & ~_within(table, choice.known), UNKNOWN)
    tally.add(table)
    write_quarantine(
        table.filter(fresh & table[REASON].is_not_null()), folder / "quarantine" / f"log-{bucket.events.name}"
    )
    train = table.filter(left & ~tested).with_columns(pl.col(TIME).min().over(SESSION).alias(START))
    test = table.filter(tested & (left | (pl.col(REASON) == UNKNOWN)))
    for part, rows in ((TRAIN, train), (TEST, test)):
        place = folder / "work" / part
        place.mkdir(parents=True, exist_ok=True)
        rows.drop(REASON).write_parquet(place / bucket.events.name, compression="lz4")
    return _first_seen(train, choice.owner)


def _within(table: pl.DataFrame, items: pl.DataFrame) -> pl.Expr:
    if items.is_empty():
        return pl.lit(value=False)
    return pl.lit(table[ITEM].is_in(items[ITEM].implode()))


def in_order(table: pl.DataFrame, owner: str) -> pl.DataFrame:
    """Rows in their final order."""
    return table.sort(START, owner, TIME, ITEM)


def _first_seen(train: pl.DataFrame, owner: str) -> pl.DataFrame:
    first = [pl.col(name).first() for name in (START, owner, TIME)]
    return in_order(train, owner).group_by(ITEM, maintain_order=True).agg(*first, pl.len().alias(SUPPORT))


def vocabulary_of(first_seen: list[pl.DataFrame], owner: str) -> Vocabulary:
    """The items by first appearance in the whole training part.

    Raises:
        ClickLogError: there are none.
    """
    table = in_order(pl.concat(first_seen), owner)
    items = table.group_by(ITEM, maintain_order=True).agg(pl.col(SUPPORT).sum().cast(pl.Int64))
    if items.is_empty():
        raise ClickLogError(
            "expected training events; no rule left any. What to do: lower min_support or shorten test"
        )
    return Vocabulary(items[ITEM], items[SUPPORT].to_numpy())
