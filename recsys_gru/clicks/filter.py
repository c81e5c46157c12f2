"""Rare items and short sessions out of the training part, over and over until nothing changes."""

import polars as pl

from recsys_gru.clicks.frames import EVENT_ORDER, ITEM, SESSION, Frame, lazy, require, same_kind
from recsys_gru.clicks.ledger import Ledger, Size
from recsys_gru.errors import ParameterError

RARE, SHORT = "item too rare", "session too short"


def filter_sessions(
    train: Frame, min_support: int = 5, min_length: int = 2, ledger: Ledger | None = None
) -> pl.LazyFrame | pl.DataFrame:
    """Drop items of fewer than ``min_support`` events and sessions of fewer than ``min_length``, to a fixed
    point.

    Dropping one makes others too few, so both rules alternate until nothing changes: the largest part of the
    log that keeps both rules. The result is of the kind of frame that was given, sorted by session, time and
    item.

    Raises:
        SchemaError: a column is missing.
        ParameterError: a bound is below 1.

    >>> log = pl.DataFrame({"session_id": [1, 1, 2, 2, 3], "item_id": [7, 8, 7, 8, 9]})
    >>> log = log.with_columns(time=pl.int_range(pl.len()))
    >>> filter_sessions(log, min_support=2, min_length=2).height
    4
    """
    for name, bound in (("min_support", min_support), ("min_length", min_length)):
        if bound < 1:
            raise ParameterError(f"{name} must be at least 1; got {bound}")
    log = lazy(train)
    require(log, *EVENT_ORDER)
    table = log.sort(EVENT_ORDER).collect()
    notes = ledger if ledger is not None else Ledger()
    height = -1
    while height != table.height:
        height = table.height
        table = _at_least(table, SESSION, min_length, SHORT, notes)
        table = _at_least(table, ITEM, min_support, RARE, notes)
    return same_kind(table, train)


def _at_least(table: pl.DataFrame, column: str, bound: int, rule: str, notes: Ledger) -> pl.DataFrame:
    enough = table.filter(pl.len().over(column) >= bound)
    if enough.height < table.height:
        notes.record(rule, Size.of(table), Size.of(enough))
    return enough
