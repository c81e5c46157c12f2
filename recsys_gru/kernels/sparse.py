"""Scores that a sparse matrix gives, written over those of all items."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import in_order, kernel

Sparse = tuple[Items, NDArray[np.int32], Floats, Items]
"""Offsets (R + 1,), items and values of the rows of a sparse matrix, and which of them are meant (Q,)."""


@kernel
def _first_at_least(items: NDArray[np.int32], low: int, high: int, wanted: int) -> int:
    """Index of the first of the ascending ``items[low:high]`` not below ``wanted``; ``high`` if none."""
    while low < high:
        middle = (low + high) // 2
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def fill_tile(
    offsets: Items, items: NDArray[np.int32], values: Floats, which: Items, start: int, scores: Floats
) -> None:
    """Write the values of the rows ``which`` (Q,) over the scores (Q, T) of the items from ``start`` on.

    Twin: a dense matrix, tests/baselines/test_sparse.py::test_tiles_and_own_scores_are_the_dense_ones.
    """
    stop = start + scores.shape[1]
    for q in range(scores.shape[0]):
        end = offsets[which[q] + 1]
        place = _first_at_least(items, offsets[which[q]], end, start)
        while place < end and items[place] < stop:
            scores[q, items[place] - start] = values[place]
            place += 1


@kernel
def fill_own(
    offsets: Items,
    items: NDArray[np.int32],
    values: Floats,
    which: Items,
    wanted: NDArray[np.int32],
    scores: Floats,
) -> None:
    """Write the value that each of the rows ``which`` (Q,) has of its wanted item over its score (Q,).

    Twin: a dense matrix, tests/baselines/test_sparse.py::test_tiles_and_own_scores_are_the_dense_ones.
    """
    for q in range(scores.shape[0]):
        end = offsets[which[q] + 1]
        place = _first_at_least(items, offsets[which[q]], end, wanted[q])
        if place < end and items[place] == wanted[q]:
            scores[q] = values[place]


@in_order
def sum_rows(rows: Sparse, base: Floats, of_base: tuple[float, float]) -> NDArray[np.float64]:
    """Return (2, Q) the sum of the scores of each of the rows over a base, infinity where no score is above
    zero, and the largest score's part of it, given the base's own sum and largest score.

    Twin: a dense matrix, tests/baselines/test_sparse.py::test_sums_and_mixtures_are_the_dense_ones.
    """
    offsets, items, values, which = rows
    found = np.empty((2, len(which)))
    for q in range(len(which)):
        total, most = of_base
        for place in range(offsets[which[q]], offsets[which[q] + 1]):
            total += np.float64(values[place]) - np.float64(base[items[place]])
            most = max(most, np.float64(values[place]))
        found[0, q] = np.inf if total <= 0 else total
        found[1, q] = most / found[0, q]
    return found


@in_order
def add_rows(
    rows: Sparse,
    base: Floats,
    weights: NDArray[np.float64],
    totals: NDArray[np.float64],
    mixed: Floats,
    has_base: bool,
) -> None:
    """Add the scores of each of the rows over a base, times the row's weight (Q,) and divided by its total
    (Q,), to the sums (Q, N); with `has_base` some of the base's scores are not zero.

    Twin: a dense matrix, tests/baselines/test_sparse.py::test_sums_and_mixtures_are_the_dense_ones.
    """
    scale = np.empty(len(weights), np.float32)
    for q in range(len(weights)):
        scale[q] = np.float32(weights[q] / totals[q])
        if has_base:
            for item in range(len(base)):
                mixed[q, item] += scale[q] * base[item]
    _add_changes(rows, base, scale, mixed)


@kernel
def _add_changes(rows: Sparse, base: Floats, scale: Floats, mixed: Floats) -> None:
    """Add `scale[q]` times what each of the rows changes of the base to the sums (Q, N)."""
    offsets, items, values, which = rows
    for q in range(len(which)):
        for place in range(offsets[which[q]], offsets[which[q] + 1]):
            item = items[place]
            mixed[q, item] += scale[q] * (values[place] - base[item])


@in_order
def add_dense(rows: Floats, which: Items, scale: Floats, mixed: Floats) -> None:
    """Add rows (R, N), those that are meant (Q,) each times its number of `scale` (Q,), to the sums (Q, N).

    Twin: a dense matrix, tests/baselines/test_sparse.py::test_sums_and_mixtures_are_the_dense_ones.
    """
    for q in range(len(which)):
        row, out, number = rows[which[q]], mixed[q], scale[q]
        for item in range(len(row)):
            out[item] += number * row[item]
