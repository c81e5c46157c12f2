"""Rows in order of session and time, in time linear in the rows; equal times keep an order of their own.

Sessions are many and short: rows are dealt out to their sessions by counting, and only within a session is
there something to sort. A log that is in order already is left as it is. Where clicks of a session share
their time, the order is that of the column ``click_order`` if the log has one, else that of the rows. A log
whose rows lie in order of their items says nothing about that order: there a hash of session, time and item
puts them, which favours nobody and is the same on every machine.
"""

import zlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import ITEM, ORDER, TIME
from recsys_gru.kernels.order import event_order, number_equal

_SPARE = 2  # whole numbers may spread this many times wider than there are rows and be counted directly
_ENOUGH, _ASTRAY = 20, 100  # tied neighbours that tell how a log is ordered; one in so many may differ
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def sorted_rows(table: pl.DataFrame, owner: str) -> pl.DataFrame:
    """The rows by owner and time, equal times by ``click_order`` where there is one, else as they came; rows
    without an owner or a time last.

    >>> table = pl.DataFrame({"session_id": [2, 1, 2, 2], "time": [9, 5, 3, 3], "item_id": list("abdc")})
    >>> sorted_rows(table, "session_id")["item_id"].to_list()
    ['b', 'd', 'c', 'a']
    """
    table = table.rechunk()  # rows of many pieces are ten times slower to put in order
    by = [owner, TIME, *(name for name in table.columns if name == ORDER)]
    holes = table.select(pl.any_horizontal(pl.col(by[:2]).is_null())).to_series()
    if holes.any():
        whole, holed = table.filter(~holes), table.filter(holes)
        return pl.concat([sorted_rows(whole, owner), holed.sort(by, nulls_last=True, maintain_order=True)])
    if table.select(_ascending(by)).item():
        return table
    if len(by) > 2 or table[TIME].dtype.is_float():
        return table.sort(by, nulls_last=True, maintain_order=True)
    sessions, known = codes(table[owner])
    times = table[TIME].to_physical().cast(pl.Int64).to_numpy()
    return table[event_order(sessions, times, len(known))]


def _ascending(by: list[str]) -> pl.Expr:
    """Whether no row is smaller than the one before it."""
    sorted_so_far = pl.lit(value=True)
    for name in reversed(by):
        one, before = pl.col(name), pl.col(name).shift()
        sorted_so_far = (one > before) | ((one == before) & sorted_so_far)
    return sorted_so_far.slice(1).fill_null(value=False).all()


def tied(ordered: pl.DataFrame, owner: str) -> pl.Series:
    """Whether a row shares owner and time with the one before it."""
    same = (pl.col(owner) == pl.col(owner).shift()) & (pl.col(TIME) == pl.col(TIME).shift())
    return ordered.select(same.fill_null(value=False)).to_series()


def in_runs(follows: pl.Series) -> pl.Series:
    """Whether a row shares its time with a neighbour, from whether it does with the one before it."""
    return follows | follows.shift(-1, fill_value=False)


def item_steps(ordered: pl.DataFrame, owner: str) -> NDArray[np.int64]:
    """How many tied neighbours go up and how many down in the order of their items; (2,) int64."""
    step = tied(ordered, owner)
    if not step.any() or ORDER in ordered.columns:
        return np.zeros(2, dtype=np.int64)
    up = (pl.col(ITEM) > pl.col(ITEM).shift()).alias("up")
    down = (pl.col(ITEM) < pl.col(ITEM).shift()).alias("down")
    return ordered.select(up, down).filter(step).sum().fill_null(0).to_numpy().ravel().astype(np.int64)


def by_item(steps: NDArray[np.int64]) -> bool:
    """Whether tied neighbours lie in the order of their items, so that their order tells nothing."""
    return int(steps.sum()) >= _ENOUGH and int(steps.min()) * _ASTRAY <= int(steps.sum())


def by_hash(
    ordered: pl.DataFrame, owner: str, ids: tuple[pl.Series, pl.Series] | None = None
) -> pl.DataFrame:
    """Rows in order, those that share their time by a hash of owner, time and item.

    ``ids`` are owner and item as the log has them, where the table holds numbers in their place.
    """
    run = in_runs(tied(ordered, owner))
    if not run.any():
        return ordered
    places = np.flatnonzero(run.to_numpy())
    some = ordered[places]
    owners, items = (some[owner], some[ITEM]) if ids is None else (one[places] for one in ids)
    times = some[TIME].to_physical().cast(pl.Int64).to_numpy().view(np.uint64)
    keys = _mixed(_mixed(_mixed(fixed_hash(owners)) ^ times) ^ fixed_hash(items))
    number = np.cumsum(~tied(ordered, owner).to_numpy())[places]
    inner = np.lexsort((codes(items)[0], keys, number))  # rows stay within the run of their time
    rows = np.arange(ordered.height)
    rows[places] = places[inner]
    return ordered[rows]


def without_item_order(ordered: pl.DataFrame, owner: str) -> pl.DataFrame:
    """Rows in order, where a log ordered by item puts them by hash in place of their items."""
    return by_hash(ordered, owner) if by_item(item_steps(ordered, owner)) else ordered


def fixed_hash(ids: pl.Series) -> NDArray[np.uint64]:
    """A hash of ids that stays the same whatever the machine and the versions of libraries; (n,) uint64."""
    if ids.dtype.is_integer():
        return _mixed(ids.cast(pl.Int64).fill_null(0).to_numpy().astype(np.int64).view(np.uint64))
    numbers, known = numbered(ids.cast(pl.String).fill_null(""))
    texts = (text.encode() for text in known.to_list())
    sums = [zlib.crc32(text) << 32 | zlib.adler32(text) for text in texts]
    return _mixed(np.array(sums, dtype=np.uint64))[numbers]


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        values = values + _GOLDEN
        values = (values ^ (values >> np.uint64(30))) * _FIRST
        values = (values ^ (values >> np.uint64(27))) * _SECOND
        mixed: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed


def codes(ids: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    """Ids as numbers from 0 that keep their order, and the ids that the numbers stand for.

    Not every number need occur: whole numbers that lie close together are only shifted.
    """
    if ids.dtype.is_integer() and len(ids) and not ids.null_count():
        numbers = ids.cast(pl.Int64).to_numpy()
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < _SPARE * len(ids):
            return numbers - low, pl.Series(np.arange(high - low + 1, dtype=np.int64) + low)
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
