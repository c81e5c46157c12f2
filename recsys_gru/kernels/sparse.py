"""Scores that a sparse matrix gives, written over those of all items."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import kernel


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


@kernel
def sum_rows(
    offsets: Items,
    items: NDArray[np.int32],
    values: Floats,
    which: Items,
    base: Floats,
    totals: NDArray[np.float64],
    largest: NDArray[np.float64],
) -> None:
    """Add to the totals (Q,) what the rows ``which`` (Q,) change of the base's sum, and raise ``largest``
    (Q,) to their largest values.

    Twin: a dense matrix, tests/baselines/test_sparse.py::test_sums_and_mixtures_are_the_dense_ones.
    """
    for q in range(totals.shape[0]):
        for place in range(offsets[which[q]], offsets[which[q] + 1]):
            totals[q] += np.float64(values[place]) - np.float64(base[items[place]])
            largest[q] = max(largest[q], np.float64(values[place]))


@kernel
def add_rows(
    offsets: Items,
    items: NDArray[np.int32],
    values: Floats,
    which: Items,
    base: Floats,
    scale: Floats,
    mixed: Floats,
) -> None:
    """Add ``scale[q]`` times what row ``which[q]`` changes of the base to the sums (Q, N).

    Twin: a dense matrix, tests/baselines/test_sparse.py::test_sums_and_mixtures_are_the_dense_ones.
    """
    for q in range(mixed.shape[0]):
        for place in range(offsets[which[q]], offsets[which[q] + 1]):
            item = items[place]
            mixed[q, item] += scale[q] * (values[place] - base[item])
