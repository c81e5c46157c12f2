"""Rare items and short sessions out of the training part, over and over until nothing changes."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import whole_number
from recsys_gru.clicks.frames import EVENT, ITEM, SESSION, Frame, lazy, require, same_kind
from recsys_gru.clicks.ledger import Ledger, Size, notes_in
from recsys_gru.clicks.order import codes, run_starts, sorted_rows
from recsys_gru.clicks.recipe import MOST
from recsys_gru.kernels.rules import drop_small

RARE, SHORT = "item too rare", "session too short"


def filter_sessions(
    train: Frame, min_support: int = 5, min_length: int = 2, ledger: Ledger | None = None
) -> pl.LazyFrame | pl.DataFrame:
    """Drop items of fewer than ``min_support`` events and sessions of fewer than ``min_length``, to a fixed
    point.

    Dropping one makes others too few, so both rules alternate until nothing changes: the largest part of the
    log that keeps both rules. The result is of the kind of frame that was given, sorted by session and time.

    Raises:
        SchemaError: a column is missing.
        ParameterError: a bound is no whole number of at least 1.

    >>> log = pl.DataFrame({"session_id": [1, 1, 2, 2, 3], "item_id": [7, 8, 7, 8, 9]})
    >>> log = log.with_columns(time=pl.int_range(pl.len()))
    >>> filter_sessions(log, min_support=2, min_length=2).height
    4
    """
    min_support = whole_number("min_support", min_support, 1, MOST)
    min_length = whole_number("min_length", min_length, 1, MOST)
    notes = notes_in(ledger)
    log = lazy(train)
    require(log, *EVENT)
    table = sorted_rows(log.collect(), SESSION)
    alive = fixed_point(table, min_support, min_length, notes)
    return same_kind(table if alive.all() else table.filter(pl.Series(alive)), train)


def fixed_point(table: pl.DataFrame, min_support: int, min_length: int, notes: Ledger) -> NDArray[np.bool_]:
    """Which rows of a table in event order stay; (n,)."""
    starts = run_starts(table[SESSION])
    lengths = np.diff(starts, append=table.height)
    sessions = np.repeat(np.arange(len(starts)), lengths)
    items, known = codes(table[ITEM])
    support = np.bincount(items, minlength=len(known))
    alive = np.ones(table.height, dtype=np.bool_)
    removed = -1
    while removed:
        before = _size(int(lengths.sum()), lengths, support)
        removed = 0
        for rule in (SHORT, RARE):
            if rule == SHORT:
                gone = drop_small(alive, sessions, lengths, items, support, min_length)
            else:
                gone = drop_small(alive, items, support, sessions, lengths, min_support)
            after = _size(before.rows - gone, lengths, support)
            if gone:
                notes.record(rule, before, after)
            before, removed = after, removed + gone
    return alive


def _size(rows: int, lengths: NDArray[np.int64], support: NDArray[np.int64]) -> Size:
    return Size(rows, int(np.count_nonzero(lengths)), int(np.count_nonzero(support)))
