"""What may not be given to whom, asked about one item at a time: for few answers a mask of all is dear."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Items, Masks
from recsys_gru.kernels.machine.jit import kernel


class Bars(NamedTuple):
    """What may not be given to Q rows.

    Attributes:
        keep: (N,) the items that may be given at all; empty for every one.
        live: (2, N) the moments from which and until which each may be given; empty for ever.
        moments: (Q,) at which each row asks.
        items: (P,) ascending, each of them barred for one row, `rows` (P,).
    """

    keep: Masks
    live: Items
    moments: Items
    items: NDArray[np.int32]
    rows: Items


NO_BARS = Bars(
    np.empty(0, np.bool_),
    np.empty((2, 0), np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.int32),
    np.empty(0, np.int64),
)
"""All may be given to all."""


@kernel
def may_be_given(bars: Bars, item: int, row: int) -> bool:
    """Return whether an item may be given to a row.

    Twin: the masks of a tile, tests/kernels/test_bars.py::test_what_may_be_given_is_what_the_masks_say.
    """
    if bars.keep.size and not bars.keep[item]:
        return False
    if bars.live.size and not bars.live[0, item] <= bars.moments[row] < bars.live[1, item]:
        return False
    place = np.searchsorted(bars.items, item)
    while place < len(bars.items) and bars.items[place] == item:
        if bars.rows[place] == row:
            return False
        place += 1
    return True


@kernel
def which_may_be_given(bars: Bars, items: NDArray[np.int32], rows: Items) -> Masks:
    """Return which of some items (P,) may be given to their rows (P,).

    Twin: the masks of a tile, tests/kernels/test_bars.py::test_what_may_be_given_is_what_the_masks_say.
    """
    found = np.empty(len(items), np.bool_)
    for place in range(len(items)):
        found[place] = may_be_given(bars, items[place], rows[place])
    return found
