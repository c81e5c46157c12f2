"""What is known about items, as numbers: labels with weights, and numbers that a projection takes in."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import spread


class Facts(NamedTuple):
    """Of N items. An item's row is its own + its labels' rows, each times its weight, + its numbers times a
    projection: r_i + sum_f w_if e_f + x_i P. Source: Kula 2015, "Metadata embeddings for user and item
    cold-start recommendations"; dense vectors beside the labels are ours.

    >>> facts = Facts.nothing(1, 2).followed_by(Facts.nothing(1, 2)._replace(numbers=np.ones((1, 2), "f4")))
    >>> len(facts.offsets), facts.of(np.array([1])).numbers.tolist()
    (3, [[1.0, 1.0]])
    """

    offsets: NDArray[np.int64]
    """(N + 1,) where the labels of each item begin, and the end."""
    labels: NDArray[np.int32]
    """(nnz,) rows of a table of labels."""
    weights: NDArray[np.float32]
    """(nnz,) 1 for a label, 1 / sqrt(n) for each of the n of a list or a text."""
    numbers: NDArray[np.float32]
    """(N, V)"""

    @classmethod
    def nothing(cls, n_items: int, width: int) -> Self:
        """Of items that nothing is known about."""
        return cls(
            np.zeros(n_items + 1, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.float32),
            np.zeros((n_items, width), np.float32),
        )

    def of(self, items: NDArray[np.int64]) -> "Facts":
        """Those of some items (R,), in this order."""
        lengths = np.diff(self.offsets)[items]
        places = spread(self.offsets[items], lengths)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Facts(offsets, self.labels[places], self.weights[places], self.numbers[items])

    def followed_by(self, more: "Facts") -> "Facts":
        """These and, after them, those of more items."""
        offsets = np.concatenate([self.offsets, self.offsets[-1] + more.offsets[1:]])
        return Facts(
            offsets,
            np.concatenate([self.labels, more.labels]),
            np.concatenate([self.weights, more.weights]),
            np.concatenate([self.numbers, more.numbers]),
        )

    def replaced(self, there: NDArray[np.bool_], newer: "Facts") -> "Facts":
        """Those of the items (N,) that are `there` as the newer ones tell of them, the rest as they are."""
        numbers = np.arange(len(there))
        return self.followed_by(newer).of(np.where(there, numbers + len(there), numbers))
