"""Counting what each rule removes from a log that is never in memory as a whole."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import ITEM, SESSION
from recsys_gru.clicks.ledger import Ledger, Size

_LEVEL = "level"


class Tally:
    """Rows, sessions and items left after each of an ordered list of rules, added up bucket by bucket.

    A row leaves at the first rule that it breaks; a session or item is there until its last row has left.
    Sessions lie in one bucket only, so their counts add up; items are kept with the rule that took their
    last row.
    """

    def __init__(self, rules: Sequence[str]) -> None:
        self._rules = tuple(rules)
        kinds = {rule: level for level, rule in enumerate(self._rules)}
        self._level = pl.col("reason").replace_strict(kinds, default=len(self._rules), return_dtype=pl.Int64)
        self._rows = _nothing()
        self._sessions = _nothing()
        self._items = pl.DataFrame(schema={ITEM: pl.Int64, _LEVEL: pl.Int64})

    def add(self, rows: pl.DataFrame) -> None:
        """Add a bucket: session_id, item_id and reason, the reason null where the row stays."""
        table = rows.select(SESSION, ITEM, self._level.alias(_LEVEL))
        sessions = table.drop_nulls(SESSION).group_by(SESSION).agg(pl.col(_LEVEL).max())
        items = table.drop_nulls(ITEM).group_by(ITEM).agg(pl.col(_LEVEL).max())
        self._rows = _summed(self._rows, table)
        self._sessions = _summed(self._sessions, sessions)
        self.add_items(items)

    def add_levels(self, rows: NDArray[np.int8], sessions: NDArray[np.int8]) -> None:
        """Add a bucket by the levels of its rows and of the last row of each session."""
        self._rows = _summed(self._rows, pl.DataFrame({_LEVEL: rows.astype(np.int64)}))
        self._sessions = _summed(self._sessions, pl.DataFrame({_LEVEL: sessions.astype(np.int64)}))

    def add_items(self, items: pl.DataFrame) -> None:
        """Add items with the level of their last row."""
        known = items if self._items.is_empty() else pl.concat([self._items, items])
        self._items = known.group_by(ITEM).agg(pl.col(_LEVEL).max())

    def rows(self, rule: str) -> int:
        """Rows that left at a rule."""
        level = self._rules.index(rule)
        return int(self._rows.filter(pl.col(_LEVEL) == level)["n"].sum())

    def ledger(self) -> Ledger:
        """The ledger of the rules that removed something, in order."""
        ledger = Ledger()
        items = _summed(_nothing(), self._items)
        size = self._left(-1, items)
        for level, rule in enumerate(self._rules):
            if self.rows(rule):
                smaller = self._left(level, items)
                ledger.record(rule, size, smaller)
                size = smaller
        return ledger

    def _left(self, level: int, items: pl.DataFrame) -> Size:
        later = pl.col(_LEVEL) > level
        return Size(*(int(part.filter(later)["n"].sum()) for part in (self._rows, self._sessions, items)))


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={_LEVEL: pl.Int64, "n": pl.Int64})


def _summed(counts: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    more = table.group_by(_LEVEL).agg(pl.len().cast(pl.Int64).alias("n"))
    return pl.concat([counts, more]).group_by(_LEVEL).agg(pl.col("n").sum())
