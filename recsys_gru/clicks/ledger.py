"""The ledger: what every rule left of the log, so that nothing vanishes unseen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import place, shown
from recsys_gru.clicks.frames import ITEM, SESSION, Frame, key_columns, lazy
from recsys_gru.errors import ParameterError

_COUNTED = ("rows", "sessions", "items")


@dataclass(frozen=True)
class Size:
    """How large a log is: rows, distinct sessions (users where there are no sessions) and distinct items."""

    rows: int
    sessions: int
    items: int

    @classmethod
    def of(cls, frame: Frame) -> "Size":
        """Count a frame; null ids are not counted as sessions or items."""
        log = lazy(frame)
        key = key_columns(log)[0]
        counted = log.select(
            pl.len().alias("rows"),
            pl.col(key).drop_nulls().n_unique().alias(SESSION),
            pl.col(ITEM).drop_nulls().n_unique().alias(ITEM),
        )
        rows, sessions, items = counted.collect(engine="streaming").row(0)
        return cls(rows, sessions, items)


@dataclass(frozen=True)
class Entry:
    """One rule with the size of the log before and after it."""

    rule: str
    before: Size
    after: Size


def notes_in(ledger: object) -> "Ledger":
    """The ledger that a caller gave to write into, or one that nobody looks at.

    Raises:
        ParameterError: if it is something else.
    """
    if ledger is not None and not isinstance(ledger, Ledger):
        raise ParameterError(f"expected ledger as a Ledger, got {shown(ledger)}: make one with Ledger()")
    return Ledger() if ledger is None else ledger


@dataclass
class Ledger:
    """Every rule that was applied to a log, in order, with rows, sessions and items before and after it.

    >>> ledger = Ledger()
    >>> ledger.record("too short", Size(10, 4, 3), Size(8, 2, 3))
    >>> ledger.table().select("rule", "rows_before", "rows_after", "rows_removed").row(0)
    ('too short', 10, 8, 2)
    """

    entries: list[Entry] = field(default_factory=list)

    def record(self, rule: str, before: Size, after: Size) -> None:
        """Add one rule to the end."""
        self.entries.append(Entry(rule, before, after))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def removed(self, rule: str) -> int:
        """Rows that a rule removed, over all its rounds."""
        return sum(entry.before.rows - entry.after.rows for entry in self.entries if entry.rule == rule)

    def table(self) -> pl.DataFrame:
        """The ledger as a frame: rule, then before, after and removed for rows, sessions and items."""
        columns: dict[str, list[str] | list[int]] = {"rule": [entry.rule for entry in self.entries]}
        for what in _COUNTED:
            before = [int(getattr(entry.before, what)) for entry in self.entries]
            after = [int(getattr(entry.after, what)) for entry in self.entries]
            columns[f"{what}_before"] = before
            columns[f"{what}_after"] = after
            columns[f"{what}_removed"] = [b - a for b, a in zip(before, after, strict=True)]
        numbers = {name: pl.Int64 for name in columns if name != "rule"}
        return pl.DataFrame(columns, schema_overrides={"rule": pl.String, **numbers})

    def write(self, path: str | Path) -> None:
        """Write the table as CSV (or Parquet where the name ends in .parquet).

        Raises:
            ParameterError: ``path`` is none.
            OSError: it cannot be written.
        """
        file = Path(place("path", path))
        (self.table().write_parquet if file.suffix == ".parquet" else self.table().write_csv)(file)

    @classmethod
    def read(cls, path: str | Path) -> "Ledger":
        """Read the Parquet file that ``write`` wrote.

        Raises:
            ParameterError: ``path`` is none.
            OSError: there is no such file.
        """
        ledger = cls()
        for row in pl.read_parquet(Path(place("path", path)), glob=False).iter_rows(named=True):
            sizes = [Size(*(row[f"{what}_{when}"] for what in _COUNTED)) for when in ("before", "after")]
            ledger.record(row["rule"], *sizes)
        return ledger

    def __str__(self) -> str:
        head = ("rule", "rows left", "removed", "sessions left", "removed", "items left", "removed")
        rounds = [sum(other.rule == e.rule for other in self.entries[: i + 1]) for i, e in enumerate(self)]
        body = [_line(entry, count) for entry, count in zip(self, rounds, strict=True)]
        widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
        return "\n".join(
            "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in [head, *body]
        )


def _line(entry: Entry, count: int) -> tuple[str, ...]:
    rule = entry.rule if count == 1 else f"{entry.rule}, round {count}"
    pairs = (
        (entry.before.rows, entry.after.rows),
        (entry.before.sessions, entry.after.sessions),
        (entry.before.items, entry.after.items),
    )
    return (rule, *(text for b, a in pairs for text in (f"{a:,}", f"-{b - a:,}" if b > a else "0")))


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

    def write(self, folder: Path) -> None:
        """Write what was counted, for ``add_written``."""
        for name, table in (("rows", self._rows), ("sessions", self._sessions), ("items", self._items)):
            table.write_parquet(folder / f"tally-{name}.parquet")

    def add_written(self, folder: Path) -> None:
        """Add what another tally of the same rules counted."""
        rows, sessions, items = (
            pl.read_parquet(folder / f"tally-{name}.parquet", glob=False)
            for name in ("rows", "sessions", "items")
        )
        self._rows = _together(self._rows, rows)
        self._sessions = _together(self._sessions, sessions)
        if items.height:
            self.add_items(items)

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
    return _together(counts, table.group_by(_LEVEL).agg(pl.len().cast(pl.Int64).alias("n")))


def _together(counts: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([counts, more]).group_by(_LEVEL).agg(pl.col("n").sum())
