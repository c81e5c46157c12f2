"""Nearly the scores of a single prefix."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rough(NamedTuple):
    """Scores of one prefix that come quickly.

    Attributes:
        scores: (N,) in item order.
        error: none of them is further than this from the item's score in a tile.
        by_factor: the error is the logarithm of a factor instead, and scores are at least 0.
    """

    scores: NDArray[np.float32]
    error: float
    by_factor: bool
