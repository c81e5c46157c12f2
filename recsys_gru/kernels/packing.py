"""Events on their way into packed sessions."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.rules import Rows


@kernel
def spread(
    rows: Rows, level: int, places: NDArray[np.int64], items: NDArray[np.int32], times: NDArray[np.int64]
) -> None:
    """Put the rows of a level where the session begins, one after the other; -1: the session is left out."""
    end = 0
    for session in range(len(rows.sizes)):
        start, end, place = end, end + rows.sizes[session], places[session]
        for row in range(start, end):
            if place >= 0 and rows.levels[row] == level:
                items[place], times[place] = rows.items[row], rows.times[row]
                place += 1


@kernel
def number_by_appearance(items: NDArray[np.int32], numbers: NDArray[np.int32]) -> None:
    """Number the items by first appearance after those that have a number already (-1: none), in place."""
    met = 0
    for number in numbers:
        met = max(met, number + 1)
    for row in range(len(items)):
        if numbers[items[row]] < 0:
            numbers[items[row]] = met
            met += 1
        items[row] = numbers[items[row]]
