"""Nearly the scores of a single prefix, and the way to the exact ones."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rough(NamedTuple):
    """Scores of one prefix that come quickly, and the way to the exact ones.

    Attributes:
        scores: (N,) in item order.
        error: none of them is further than this from the item's score in a tile.
        by_factor: the error is the logarithm of a factor instead, and scores are at least 0.
        exact: scores (T,) of any items (T,), bit-equal to those in a tile.
    """

    scores: NDArray[np.float32]
    error: float
    by_factor: bool
    exact: Callable[[NDArray[np.int32]], NDArray[np.float32]]
