"""Drawing items from a distribution by its alias table."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Items
from recsys_gru.kernels.machine.jit import kernel


@kernel
def alias_table(
    probabilities: NDArray[np.float64], share: NDArray[np.float64], other: NDArray[np.int32]
) -> None:
    """Fill the alias table of a distribution (Vose 1991): of n columns, all as likely, column i is item i
    with probability share[i], else other[i].

    Twin: NumPy's sums, tests/kernels/test_sampling.py::test_an_alias_table_holds_its_distribution.
    """
    n = len(probabilities)
    small, large = np.empty(n, np.int64), np.empty(n, np.int64)
    n_small, n_large = 0, 0
    for i in range(n):
        share[i] = probabilities[i] * n
        other[i] = i
        if share[i] < 1.0:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small > 0 and n_large > 0:
        low, high = small[n_small - 1], large[n_large - 1]
        other[low] = high
        share[high] -= 1.0 - share[low]
        n_small -= 1
        if share[high] < 1.0:
            n_large -= 1
            small[n_small] = high
            n_small += 1
    for i in range(n_small):  # what rounding left over is as good as certain
        share[small[i]] = 1.0
    for i in range(n_large):
        share[large[i]] = 1.0


@kernel
def alias_draw(
    uniform: NDArray[np.float64], share: NDArray[np.float64], other: NDArray[np.int32], drawn: Items
) -> None:
    """Turn uniform numbers u in [0, 1) into items: the whole part of n u picks a column, the rest decides
    between item and alias.

    Twin: NumPy, tests/kernels/test_sampling.py::test_a_draw_is_a_column_and_a_choice.
    """
    n = len(share)
    for i in range(len(uniform)):
        scaled = uniform[i] * n
        column = int(scaled)
        drawn[i] = column if scaled - column < share[column] else other[column]
