"""What is added to the scores of items that a session has just clicked: r_d where it was d clicks before."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import in_order, kernel


@in_order
def add_repeats(scores: Floats, at: Items, numbers: Floats) -> None:
    """Add numbers (R,) to the scores (U, P) of the columns of each row's last clicks (P, R), -1 for none.

    Twin: torch, tests/kernels/test_repeats.py::test_last_clicks_are_raised_and_learned_from.
    """
    for i in range(len(at)):
        for d in range(len(numbers)):
            if at[i, d] >= 0:
                scores[at[i, d], i] += numbers[d]


@in_order
def of_repeats(gradient: Floats, at: Items, targets: Items, pushes: bool, out: Floats) -> None:
    """Fill the gradient of what `add_repeats` adds (R,), given that of the scores (U, P), and unless it
    `pushes` take that of last clicks that are not their row's target (P,) out of it.

    Twin: torch, tests/kernels/test_repeats.py::test_last_clicks_are_raised_and_learned_from.
    """
    out[:] = 0
    for i in range(len(at)):
        for d in range(len(out)):
            if at[i, d] >= 0:
                out[d] += gradient[at[i, d], i]
                if not pushes and at[i, d] != targets[i]:
                    gradient[at[i, d], i] = 0


@kernel
def add_to_pairs(
    scores: Floats,
    asked: tuple[Items, NDArray[np.int32]],
    raised: tuple[Items, NDArray[np.int32], Floats],
) -> None:
    """Add to the scores (P,) of rows and items what is added to such pairs: rows (R,), ascending, items (R,),
    each pair once, and numbers (R,).

    Twin: a dictionary, tests/kernels/test_repeats.py::test_pairs_are_found_in_any_order.
    """
    rows, items, numbers = raised
    for place in range(len(scores)):
        at = np.searchsorted(rows, asked[0][place])
        while at < len(rows) and rows[at] == asked[0][place]:
            if items[at] == asked[1][place]:
                scores[place] += numbers[at]
            at += 1
