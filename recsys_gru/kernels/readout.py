"""What items are scored for: a hidden state and the rows of the last clicks, each with a weight.

s = h + w_0 x_0 + w_1 x_1 + ..., x_d the row of the item clicked d clicks before (0: the last one).
"""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import dot
from recsys_gru.kernels.machine.jit import kernel


@kernel
def recent(items: NDArray[np.int32], offsets: Items, at: Items, count: int) -> Items:
    """Return the items of the last clicks of a session up to some events (Q,), the event's own first, (Q,
    count); -1 where there are fewer. Sessions lie between the offsets.

    >>> recent(np.array([7, 8, 9], np.int32), np.array([0, 1, 3]), np.array([0, 2]), 2).tolist()
    [[7, -1], [9, 8]]

    Twin: lists, tests/kernels/test_readout.py::test_recent_clicks_are_those_of_a_list_turned_round.
    """
    found = np.full((len(at), count), np.int64(-1), np.int64)
    for q in range(len(at)):
        begin = offsets[np.searchsorted(offsets, at[q], side="right") - 1]
        for d in range(min(count, at[q] - begin + 1)):
            found[q, d] = items[at[q] - d]
    return found


@kernel
def look_back(table: Floats, recent: Items, weights: Floats, out: Floats) -> None:
    """Add the rows of the last clicks (Q, L), -1 for none, of a table (N, H), times their weights (L,), to
    `out` (Q, H).

    Twin: NumPy, tests/kernels/test_readout.py::test_the_rows_of_the_last_clicks_are_added_with_their_weights.
    """
    for q in range(len(recent)):
        sums = out[q]
        for d in range(len(weights)):
            if recent[q, d] >= 0:
                row, weight = table[recent[q, d]], weights[d]
                for j in range(len(row)):
                    sums[j] += weight * row[j]


@kernel
def looked_back(
    gradient: Floats, table: Floats, recent: Items, weights: Floats, found: tuple[Floats, Floats]
) -> None:
    """Fill the gradients of the weights (L,) and of each row that was looked up (Q * L, H), zeros where none
    was, from that of what `look_back` filled (Q, H).

    Twin: automatic differentiation, tests/kernels/test_readout.py::test_gradients_are_automatic_ones.
    """
    of_weights, of_rows = found
    of_weights[:] = 0
    for q in range(len(recent)):
        slope = gradient[q]
        for d in range(len(weights)):
            place = of_rows[q * len(weights) + d]
            if recent[q, d] < 0:
                place[:] = 0
                continue
            row, weight = table[recent[q, d]], weights[d]
            of_weights[d] += dot(slope, row)
            for j in range(len(row)):
                place[j] = weight * slope[j]
