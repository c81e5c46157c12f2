"""Who may be among the best k of several hidden states, from one reading of the item table's coarse copy.

The hidden states are rounded to whole steps as the rows of the copy are, so that all products are of bytes.
How far a score may be off is known, and those few that may be among the best are scored exactly afterwards.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.coarse import OFFSET, STEPS, Coarse, rounding
from recsys_gru.kernels.machine.bytes import FOUR, LANES, TALL, byte_piece
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.products import transpose
from recsys_gru.kernels.tiles import Heaps, chunk_hits, replace_worst

CHUNK = 16
"""Scores compared at once before any is looked at one by one."""
PIECE = 256
"""Items whose scores are made at a time, so that they stay in the cache."""


class Tile(NamedTuple):
    """Items (T,) of the coarse copy: their rows (T, W), the rows' scales (T,), what OFFSET adds to a product
    with a row (T,), and their biases (T,)."""

    rows: NDArray[np.int8]
    scales: Floats
    offsets: NDArray[np.int32]
    bias: Floats


class ByteStates(NamedTuple):
    """Hidden states (Q, H) in whole steps.

    Attributes:
        columns: (G, D, LANES, 4) uint8, LANES of them a group; the steps and OFFSET.
        steps: (G * LANES,) the size of a step of each.
        errors: (Q,) no coarse score of a state is further than this from the exact one.
    """

    columns: NDArray[np.uint8]
    steps: Floats
    errors: NDArray[np.float64]


class ShortLists(NamedTuple):
    """Of Q states: items (Q, L) and their coarse scores (Q, L), how many there are (Q,), and whether there
    was no room for one (Q,)."""

    items: NDArray[np.int32]
    scores: Floats
    counts: Items
    full: Masks


def byte_states(coarse: Coarse, bias: Floats, hidden: Floats) -> ByteStates:
    """Round hidden states (Q, H) to steps, and tell how far off the scores with biases (N,) may be.

    A score is off by what the copy leaves out of a row times the state, and by the copy's row times what is
    left out of the state: by no more than the norms of these, multiplied. To that comes the rounding.
    """
    count, width = len(hidden), -(-hidden.shape[1] // FOUR) * FOUR
    groups = -(-count // LANES)
    steps = np.ones(groups * LANES, np.float32)
    steps[:count] = np.maximum(np.abs(hidden).max(1) / np.float32(STEPS), np.finfo(np.float32).tiny)
    whole = np.zeros((groups * LANES, width), np.float32)
    whole[:count, : hidden.shape[1]] = np.rint(hidden / steps[:count, None]).clip(-STEPS, STEPS)
    columns = (whole + OFFSET).astype(np.uint8).reshape(groups, LANES, width // FOUR, FOUR)
    exact = hidden.astype(np.float64)
    left = exact - steps[:count, None].astype(np.float64) * whole[:count, : hidden.shape[1]]
    norms, lefts = np.linalg.norm(exact, axis=1), np.linalg.norm(left, axis=1)
    largest = float(np.abs(bias).max(initial=0))
    reach = (coarse.longest + coarse.residual) * (norms + lefts) + largest
    errors = coarse.residual * norms + (coarse.longest + coarse.residual) * lefts
    rounded = rounding(coarse.rows.shape[1] + 2, reach, norms)
    return ByteStates(np.ascontiguousarray(columns.transpose(0, 2, 1, 3)), steps, 1.001 * errors + rounded)


def empty_lists(rows: int, length: int) -> ShortLists:
    """Lists without an item."""
    shape = (rows, length)
    none = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    return ShortLists(np.empty(shape, np.int32), np.empty(shape, np.float32), *none)


def short_lists(
    coarse: Coarse,
    bias: Floats,
    hidden: Floats,
    k: int,
    tiles: Iterable[tuple[int, int, Masks]],
    length: int,
) -> tuple[NDArray[np.int32], Items] | None:
    """Items (P,) that may be among the best k of hidden states (Q, H), and whose they are (P,), ascending;
    None where the coarse scores do not tell the best from the rest.

    Args:
        tiles: first item, end, and for each state the items that may be given, (Q, T), or (0, 1) for all.
        length: items that may be listed for a state.
    """
    states, count = byte_states(coarse, bias, hidden), len(hidden)
    if not np.isfinite(states.errors).all():
        return None
    best, items = np.full((count, k), -np.inf, np.float32), np.full((count, k), -1, np.int32)
    heaps, lists = (best, items, np.zeros(count, np.bool_)), empty_lists(count, length + CHUNK)
    for start, stop, allowed in tiles:
        part = slice(start, stop)
        tile = Tile(coarse.rows[part], coarse.scales[part], coarse.offsets[part], bias[part])
        list_tile(tile, states, allowed, start, heaps, lists)
        if lists.full.any():
            return None
    return last_listed(best[:, 0].copy(), states.errors, lists)


@kernel
def last_listed(
    worst: Floats, errors: NDArray[np.float64], lists: ShortLists
) -> tuple[NDArray[np.int32], Items]:
    """Return what is left of the lists when all items have been seen, state after state.

    Twin: a full sort, tests/kernels/test_shortlists.py::test_the_lists_hold_the_best_of_the_exact_scores.
    """
    for row in range(len(worst)):
        limit = floor_of(worst[row], errors[row])
        lists.counts[row] = _tidy(lists.items[row], lists.scores[row], lists.counts[row], limit)
    total = lists.counts.sum()
    items, rows, place = np.empty(total, np.int32), np.empty(total, np.int64), 0
    for row in range(len(worst)):
        for one in range(lists.counts[row]):
            items[place], rows[place] = lists.items[row, one], row
            place += 1
    return items, rows


@kernel
def byte_scores(
    tile: Tile, columns: NDArray[np.uint8], steps: Floats, at: tuple[int, int], out: Floats
) -> None:
    """Set out (LANES, T) to the coarse scores of LANES states, columns (D, LANES, 4) in steps (LANES,), for
    the items from at[0] to at[1] of a tile.

    Twin: NumPy in double, tests/kernels/test_shortlists.py::test_coarse_scores_are_within_their_errors.
    """
    first, last = at
    size = last - first
    whole = size - size % TALL
    scores = np.empty((size, LANES), np.float32)
    rows, offsets = tile.rows[first:last], tile.offsets[first:last]
    factors = np.empty((2, size), np.float32)
    factors[0], factors[1] = tile.scales[first:last], tile.bias[first:last]
    for start in range(0, whole, TALL):
        byte_piece(rows, columns, steps, offsets, factors, start, scores)
    if whole < size:
        few, less = np.zeros((TALL, rows.shape[1]), np.int8), np.zeros(TALL, np.int32)
        terms, rest = np.zeros((2, TALL), np.float32), np.empty((TALL, LANES), np.float32)
        few[: size - whole], less[: size - whole] = rows[whole:], offsets[whole:]
        terms[:, : size - whole] = factors[:, whole:]
        byte_piece(few, columns, steps, less, terms, 0, rest)
        scores[whole:] = rest[: size - whole]
    transpose(scores, out)


@kernel
def list_tile(
    tile: Tile,
    states: ByteStates,
    allowed: Masks,
    start: int,
    heaps: Heaps,
    lists: ShortLists,
) -> None:
    """Write down which items of a tile, from number `start` on, may be among the best k of each state, as far
    as can be told by now; `allowed` (Q, T), or (0, 1) for all, and the heaps (Q, k) are those of `push_tile`.

    Twin: a full sort, tests/kernels/test_shortlists.py::test_the_lists_hold_the_best_of_the_exact_scores.
    """
    columns, steps, errors = states
    best, items, _ = heaps
    listed, their_scores, counts, full = lists
    out, limits = np.empty((LANES, PIECE), np.float32), np.empty(len(errors), np.float32)
    for row in range(len(errors)):
        limits[row] = floor_of(best[row, 0], errors[row])
    for first in range(0, len(tile.rows), PIECE):
        last = min(first + PIECE, len(tile.rows))
        for group in range(len(columns)):
            lanes = group * LANES
            byte_scores(
                tile, columns[group], steps[lanes : lanes + LANES], (first, last), out[:, : last - first]
            )
            for row in range(lanes, min(lanes + LANES, len(errors))):
                own = out[row - lanes, : last - first]  # whole in memory, for full vectors
                if not chunk_hits(own, limits[row])[0]:
                    continue
                mask = allowed[row, first:last] if allowed.size else allowed[:0, 0]
                heap, kept = (best[row], items[row]), (listed[row], their_scores[row])
                counts[row] = _list_row(own, mask, start + first, errors[row], heap, kept, counts[row])
                full[row] |= counts[row] < 0
                limits[row] = floor_of(best[row, 0], errors[row])


@kernel
def _list_row(
    scores: Floats,
    allowed: Masks,
    start: int,
    error: float,
    heap: tuple[Floats, NDArray[np.int32]],
    kept: tuple[NDArray[np.int32], Floats],
    count: int,
) -> int:
    """Offer some scores to the heap of a state (k,), and write those that may be among its best behind the
    `count` ones kept (L,); return how many are now, -1 where there was no room."""
    best, items = heap
    listed, their_scores = kept
    limit = floor_of(best[0], error)
    for first in range(0, len(scores), CHUNK):
        chunk = scores[first : first + CHUNK]
        if not chunk_hits(chunk, limit)[0]:
            continue
        if count + CHUNK > len(listed):
            count = _tidy(listed, their_scores, count, limit)
            if count + CHUNK > len(listed):
                return -1
        for j in range(len(chunk)):
            if chunk[j] > limit and (allowed.size == 0 or allowed[first + j]):
                item = np.int32(start + first + j)
                listed[count], their_scores[count] = item, chunk[j]
                count += 1
                if chunk[j] > best[0]:
                    replace_worst(best, items, chunk[j], item)
                    limit = floor_of(best[0], error)
    return count


@kernel
def floor_of(worst: np.float32, error: float) -> np.float32:
    """Return the score that an item must be above to be among the best, if the k-th best coarse score is
    `worst`: two errors below it, and below that in single precision too, however it rounds.

    Twin: the same in Python, tests/kernels/test_shortlists.py::test_the_floor_is_two_errors_below.
    """
    floor = float(worst) - 2 * error
    floor -= 1e-6 * abs(floor) + 1e-37
    return np.float32(floor if floor > np.finfo(np.float32).min else -np.inf)


@kernel
def _tidy(listed: NDArray[np.int32], scores: Floats, count: int, limit: np.float32) -> int:
    """Take those of the first `count` items out that are not among the best after all; return how many
    stay."""
    kept = 0
    for place in range(count):
        if scores[place] > limit:
            listed[kept], scores[kept] = listed[place], scores[place]
            kept += 1
    return kept
