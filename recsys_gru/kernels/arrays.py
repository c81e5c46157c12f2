"""What the loops take: arrays of NumPy, by what their numbers mean."""

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.int64]
"""Item numbers, places, counts and times."""
Floats = NDArray[np.float32]
Reals = NDArray[np.float32] | NDArray[np.float64]
"""In loops that are compiled for either precision."""
Masks = NDArray[np.bool_]
"""Which items, rows or scores."""


def each_once(recent: Items) -> Items:
    """The items of the last clicks (Q, K), the last one first, with -1 where one has stood before.

    >>> each_once(np.array([[7, 9, 7, -1]])).tolist()
    [[7, 9, -1, -1]]
    """
    once = recent.copy()
    for d in range(1, recent.shape[1]):
        once[(recent[:, :d] == recent[:, d, None]).any(1), d] = -1
    return once


def spread(begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places ``begins[s]`` to ``begins[s] + lengths[s]``, one part after the other.

    >>> spread(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    return np.repeat(begins - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
