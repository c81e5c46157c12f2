"""Scores that a sparse matrix gives, written over those of all items."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.machine.jit import kernel


@kernel
def first_at_least(items: NDArray[np.int32], low: int, high: int, wanted: int) -> int:
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
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    values: NDArray[np.float32],
    which: NDArray[np.int64],
    start: int,
    scores: NDArray[np.float32],
) -> None:
    """Write the rows' values over the scores (Q, T) of the items from ``start`` on."""
    stop = start + scores.shape[1]
    for q in range(scores.shape[0]):
        end = offsets[which[q] + 1]
        place = first_at_least(items, offsets[which[q]], end, start)
        while place < end and items[place] < stop:
            scores[q, items[place] - start] = values[place]
            place += 1


@kernel
def fill_own(
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    values: NDArray[np.float32],
    which: NDArray[np.int64],
    wanted: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> None:
    """Write each row's value of its wanted item over its score (Q,)."""
    for q in range(scores.shape[0]):
        end = offsets[which[q] + 1]
        place = first_at_least(items, offsets[which[q]], end, wanted[q])
        if place < end and items[place] == wanted[q]:
            scores[q] = values[place]
