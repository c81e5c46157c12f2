"""The ledger: what every rule left of the log, so that nothing vanishes unseen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from recsys_gru.clicks.frames import ITEM, SESSION, Frame, key_columns, lazy

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
        """Write the table as CSV (or Parquet where the name ends in .parquet)."""
        table = self.table()
        if Path(path).suffix == ".parquet":
            table.write_parquet(path)
        else:
            table.write_csv(path)

    @classmethod
    def read(cls, path: str | Path) -> "Ledger":
        """Read the Parquet file that ``write`` wrote."""
        ledger = cls()
        for row in pl.read_parquet(path).iter_rows(named=True):
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
