"""What is done with a tile of scores while it is in the cache: counted against targets, offered to heaps."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.bars import Bars, may_be_given
from recsys_gru.kernels.machine.jit import kernel

CHUNK = 128
"""Scores compared with the k-th best in one vector sweep, before any is looked at one by one."""
LEAST = 1e-30
"""Scores below it that are known up to a factor are as good as none."""
ROUNDED = 2e-6
"""How far rounding may take the sum of two scores apart from itself, as a part of it."""
Heaps = tuple[Floats, NDArray[np.int32], Masks]
"""Of Q rows: the k best scores and their items, each (Q, k), and whether a score was not finite (Q,)."""
Targets = tuple[Floats, Items]
"""Of Q rows: the score of the target, and its item, each (Q,)."""


@kernel
def count_tile(scores: Floats, allowed: Masks, start: int, targets: Targets, counts: Items) -> None:
    """Add each row's items above, items equal and non-finite scores to ``counts`` (3, Q), of a tile (Q, T) of
    the items start.. on.

    ``allowed`` (Q, T) masks the items that compete; (0, 1) lets all. The target's own column is left out.

    Twin: one comparison at a time, tests/kernels/test_tiles.py::test_counts_are_those_of_comparisons.
    """
    own, items = targets
    largest = np.float32(np.finfo(np.float32).max)
    zero, one = np.float32(0), np.float32(1)
    for q in range(scores.shape[0]):
        above, equal, broken = zero, zero, zero  # float32 like the scores, for full vectors; exact to 2**24
        for j in range(scores.shape[1]):
            score = scores[q, j]
            competes = one if allowed.size == 0 or allowed[q, j] else zero
            above += competes if score > own[q] else zero
            equal += competes if score == own[q] else zero
            broken += zero if abs(score) <= largest else one
        column = items[q] - start
        if 0 <= column < scores.shape[1] and (allowed.size == 0 or allowed[q, column]):
            above -= one if scores[q, column] > own[q] else zero
            equal -= one if scores[q, column] == own[q] else zero
        counts[0, q] += np.int64(above)
        counts[1, q] += np.int64(equal)
        counts[2, q] += np.int64(broken)


@kernel
def _sides(
    known: Floats, other: Floats, less: np.float32, more: np.float32, sure: np.float32, may: np.float32
) -> tuple[int, int]:
    """How many sums of a number and `less` or `more` times another are above `sure`, or not below `may`."""
    zero, one = np.float32(0), np.float32(1)
    surely, perhaps = zero, zero
    for j in range(known.shape[0]):
        surely += one if known[j] + other[j] * less > sure else zero
        perhaps += one if known[j] + other[j] * more >= may else zero
    return int(surely), int(perhaps)


@kernel
def count_nearly(
    nearly: tuple[Floats, Floats, NDArray[np.float64]],
    keep: NDArray[np.bool_],
    own: Floats,
    above: Items,
    pairs: tuple[Items, NDArray[np.int32]],
    begin: tuple[int, int],
) -> int:
    """Add to each row's items above a score of its own (Q,) those that surely are, of `keep` (N,), of all if
    that is empty, and write down the pairs of row and item of which this cannot be told; return the place
    behind these, beyond the room where that did not do.

    A score is the sum of a number (R, N) and another that is known up to a factor e^error only (R, N), errors
    (R,); none is below 0. `begin` are the first row, of Q, and the place of the first pair.

    Twin: comparisons, tests/kernels/test_tiles.py::test_what_is_surely_above_and_what_may_be.
    """
    known, other, errors = nearly
    (rows, columns), (first_row, found) = pairs, begin
    for q in range(len(known)):
        row = first_row + q
        less, more = np.float32(np.exp(-errors[q])), np.float32(np.exp(errors[q]))
        sure, may = own[row] * np.float32(1 + ROUNDED), own[row] * np.float32(1 - ROUNDED)
        if not (own[row] > LEAST and more < np.inf):
            return len(rows) + 1
        for first in range(0, known.shape[1], CHUNK):
            last = min(first + CHUNK, known.shape[1])
            surely, perhaps = _sides(known[q, first:last], other[q, first:last], less, more, sure, may)
            one_by_one = surely < perhaps or (surely > 0 and len(keep) > 0)
            above[row] += 0 if one_by_one else surely
            for j in range(first, last if one_by_one else first):
                if len(keep) > 0 and not keep[j]:
                    continue
                if known[q, j] + other[q, j] * less > sure:
                    above[row] += 1
                elif known[q, j] + other[q, j] * more >= may:
                    if found == len(rows):
                        return len(rows) + 1
                    rows[found], columns[found] = row, j
                    found += 1
    return found


@kernel
def _is_worse(score: np.float32, item: np.int32, than_score: np.float32, than_item: np.int32) -> bool:
    """Whether a scored item stands behind another."""
    return bool(score < than_score or (score == than_score and item > than_item))


@kernel
def replace_worst(best: Floats, items: NDArray[np.int32], score: np.float32, item: np.int32) -> None:
    """Put a score in the root's place of a heap (k,); its root is the worst: lowest score, highest item.

    Twin: a full sort, tests/kernels/test_tiles.py::test_the_root_stays_the_worst_of_those_kept.
    """
    k, hole, child = best.shape[0], 0, 1
    while child < k:
        right = child + 1
        if right < k and _is_worse(best[right], items[right], best[child], items[child]):
            child = right
        if _is_worse(score, item, best[child], items[child]):
            break
        best[hole], items[hole] = best[child], items[child]
        hole, child = child, 2 * child + 1
    best[hole], items[hole] = score, item


@kernel
def chunk_hits(scores: Floats, worst: np.float32) -> tuple[bool, bool]:
    """Whether any score of a chunk beats the worst of the heap, and whether any is not finite.

    Twin: a full sort, tests/kernels/test_tiles.py::test_heaps_hold_what_a_full_sort_does.
    """
    largest = np.float32(np.finfo(np.float32).max)
    zero, one = np.float32(0), np.float32(1)
    hits, broken = zero, zero
    for j in range(scores.shape[0]):
        hits += one if scores[j] > worst else zero
        broken += zero if abs(scores[j]) <= largest else one
    return bool(hits > zero), bool(broken > zero)


@kernel
def push_tile(scores: Floats, allowed: Masks, start: int, heaps: Heaps) -> None:
    """Offer a tile (Q, T) of the items start.. to the heaps (Q, k), which keep the best by score descending,
    then item ascending, if tiles come in the order of items; ``allowed`` (Q, T), or (0, 1) for all.

    Twin: a full sort, tests/kernels/test_tiles.py::test_heaps_hold_what_a_full_sort_does.
    """
    best, items, broken = heaps
    width = scores.shape[1]
    for q in range(scores.shape[0]):
        for first in range(0, width, CHUNK):
            last = min(first + CHUNK, width)
            hit, bad = chunk_hits(scores[q, first:last], best[q, 0])
            broken[q] |= bad
            if hit:
                row_mask = allowed[q, first:last] if allowed.size else allowed[:0, 0]
                _push_chunk(scores[q, first:last], row_mask, start + first, best[q], items[q])


@kernel
def _push_chunk(scores: Floats, allowed: Masks, start: int, best: Floats, items: NDArray[np.int32]) -> None:
    """Offer the scores of one row's chunk to its heap; an equal score of a later item never enters."""
    for j in range(scores.shape[0]):
        if scores[j] > best[0] and (allowed.size == 0 or allowed[j]):
            replace_worst(best, items, scores[j], np.int32(start + j))


@kernel
def push_pairs(scores: Floats, items: NDArray[np.int32], rows: Items, heaps: Heaps) -> None:
    """Offer some scores (P,) of items (P,) to the heaps of their rows (P,), whatever items these hold.

    Twin: a full sort, tests/kernels/test_tiles.py::test_pairs_enter_in_any_order.
    """
    best, kept, _ = heaps
    for place in range(len(scores)):
        row, score, item = rows[place], scores[place], items[place]
        if _is_worse(best[row, 0], kept[row, 0], score, item):
            replace_worst(best[row], kept[row], score, item)


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
def short_list(
    nearly: tuple[Floats, float, bool], k: int, bars: Bars, row: int, length: int
) -> tuple[NDArray[np.int32], bool]:
    """Return the items that may be among the best k of a row, ascending, and whether this can be told: not if
    they are more than `length`, or a score is not finite.

    The scores (N,) are no further than an error from the true ones, or with the last of `nearly` by no more
    than a factor e^error. k items score at least the k-th best score less the error, so no item whose score
    is two errors below it is among the best k.

    Twin: a full sort, tests/kernels/test_tiles.py::test_a_short_list_reaches_two_errors_below_the_kth_best.
    """
    scores, error, by_factor = nearly
    best, items = np.full(k, np.float32(-np.inf), np.float32), np.full(k, np.int32(-1), np.int32)
    short, count = np.empty(max(length, 0), np.int32), 0
    broken = not np.isfinite(error)
    for first in range(0, len(scores), CHUNK):
        chunk = scores[first : first + CHUNK]
        hit, bad = chunk_hits(chunk, best[0])
        broken |= bad
        for j in range(len(chunk) if hit else 0):
            if chunk[j] > best[0] and may_be_given(bars, first + j, row):
                replace_worst(best, items, chunk[j], np.int32(first + j))
    if by_factor:
        floor = float(best[0]) * np.exp(-2 * error) * (1 - 1e-6)
        limit = np.float32(floor if floor > LEAST else -np.inf)
    else:
        limit = floor_of(best[0], error)
    for first in range(0, 0 if broken else len(scores), CHUNK):
        chunk = scores[first : first + CHUNK]
        for j in range(len(chunk) if chunk_hits(chunk, limit)[0] else 0):
            if chunk[j] > limit and may_be_given(bars, first + j, row):
                if count == len(short):
                    return short[:0], False
                short[count] = first + j
                count += 1
    return short[:count], not broken
