"""Events on their way into packed sessions."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Items
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.rules import Rows


@kernel
def spread(rows: Rows, level: int, places: Items, items: NDArray[np.int32], times: Items) -> None:
    """Put each session's rows of a level at its place (S,) and on, one after the other, into both arrays; -1:
    the session is left out.

    Twin: slices of lists, tests/kernels/test_packing.py::test_rows_of_a_level_are_put_at_their_place.
    """
    end = 0
    for session in range(len(rows.sizes)):
        start, end, place = end, end + rows.sizes[session], places[session]
        for row in range(start, end):
            if place >= 0 and rows.levels[row] == level:
                items[place], times[place] = rows.items[row], rows.times[row]
                place += 1


@kernel
def number_by_appearance(items: NDArray[np.int32], numbers: NDArray[np.int32]) -> None:
    """Number the items (n,) by first appearance after those that have a number (N,) already (-1: none), and
    put the numbers in their place.

    Twin: a dictionary, tests/kernels/test_packing.py::test_items_are_numbered_by_first_appearance.
    """
    met = 0
    for number in numbers:
        met = max(met, number + 1)
    for row in range(len(items)):
        if numbers[items[row]] < 0:
            numbers[items[row]] = met
            met += 1
        items[row] = numbers[items[row]]
