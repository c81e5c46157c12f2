"""Rows in order of session, time and item, in time linear in the rows.

Sessions are many and short: rows are dealt out to their sessions by counting, and only within a session is
there something to sort. A log that is in order already is left as it is.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import TIME
from recsys_gru.kernels.order import event_order, number_equal

_SPARE = 2  # whole numbers may spread this many times wider than there are rows and still be counted directly


def sorted_rows(table: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The rows in the order of the columns ``by``, rows with a null in one of them last.

    >>> table = pl.DataFrame({"session_id": [2, 1, 2], "time": [9, 5, 3], "item_id": ["a", "b", "c"]})
    >>> sorted_rows(table, ["session_id", "time", "item_id"])["item_id"].to_list()
    ['b', 'c', 'a']
    """
    table = table.rechunk()  # rows of many pieces are ten times slower to put in order
    holes = table.select(pl.any_horizontal(pl.col(by).is_null())).to_series()
    if holes.any():
        whole, holed = table.filter(~holes), table.filter(holes)
        return pl.concat([sorted_rows(whole, by), holed.sort(by, nulls_last=True)])
    if table.select(_ascending(by)).item():
        return table
    if len(by) > 3 or by[1] != TIME or table[TIME].dtype.is_float():
        return table.sort(by)
    (sessions, known), (items, _) = codes(table[by[0]]), codes(table[by[2]])
    times = table[TIME].to_physical().cast(pl.Int64).to_numpy()
    return table[event_order(sessions, times, items, len(known))]


def _ascending(by: Sequence[str]) -> pl.Expr:
    """Whether no row is smaller than the one before it."""
    sorted_so_far = pl.lit(value=True)
    for name in reversed(by):
        one, before = pl.col(name), pl.col(name).shift()
        sorted_so_far = (one > before) | ((one == before) & sorted_so_far)
    return sorted_so_far.slice(1).all()


def codes(ids: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    """Ids as numbers from 0 that keep their order, and the ids that the numbers stand for.

    Not every number need occur: whole numbers that lie close together are only shifted.
    """
    if ids.dtype.is_integer() and len(ids) and not ids.null_count():
        numbers = ids.cast(pl.Int64).to_numpy()
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < _SPARE * len(ids):
            return numbers - low, pl.Series(np.arange(high - low + 1) + low)
    numbers, found = numbered(ids)
    order = found.arg_sort().to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[numbers], found[order]


def numbered(ids: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    """Ids as numbers from 0 in no promised order, and the ids that the numbers stand for."""
    whole = ids.rechunk()
    numbers, firsts = number_equal(whole.hash().to_numpy())
    found = whole[firsts]
    if not found[numbers].eq_missing(whole).all():  # two ids share a hash: once in a blue moon
        return _codes_by_join(whole)
    return numbers, found


def _codes_by_join(ids: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    known = ids.alias("id").unique().sort()
    table = pl.DataFrame({"id": known, "code": np.arange(len(known))})
    found = (
        ids.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left", nulls_equal=True)
    )
    return found["code"].to_numpy(), known


def run_starts(column: pl.Series) -> NDArray[np.int64]:
    """Where a value differs from the one before it: the first rows of sessions that lie together."""
    return np.flatnonzero((column != column.shift()).fill_null(value=True).to_numpy())
