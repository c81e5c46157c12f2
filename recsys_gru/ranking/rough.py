"""Exact answers for a single prefix from one reading of the item table.

The exact scores come from a padded matrix product, several times as slow as reading the table. So a plain
dot product with every row, good to a known error, first says which few items can be among the best at all;
only those are scored exactly.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.jit import kernel
from recsys_gru.jit.prefetch import prefetch
from recsys_gru.jit.simd import TALL, dot_and_square, product_piece

AHEAD = 80
"""Rows between the one at work and the one whose first cache line is asked for; the processor fetches on from
there."""


class Rough(NamedTuple):
    """Scores of one prefix that come quickly, and the way to the exact ones.

    Attributes:
        scores: (N,) in item order.
        error: none of them is further than this from the item's score in a tile.
        exact: scores (T,) of any items (T,), bit-equal to those in a tile.
    """

    scores: NDArray[np.float32]
    error: float
    exact: Callable[[NDArray[np.int32]], NDArray[np.float32]]


def rough_scores(
    table: NDArray[np.float32], bias: NDArray[np.float32], hidden: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """Scores (N,): table (N, H) . hidden (H,) + bias (N,), and how far off another order of summing may be.

    Source: a sum of n products in any order, fused or not, is within n u / (1 - n u) of the sum of their
    sizes (Higham 2002, section 3.1), u the unit roundoff; here that sum is at most the norms of row and
    hidden, multiplied, plus the size of the bias.
    The bound is doubled, for both ways to sum err, and doubled again for the rounding of the bound itself.
    """
    scores = np.empty(len(table), dtype=np.float32)
    longest, largest = dot_rows(table, bias, hidden, scores)
    terms = len(hidden) + 1
    roundoff = terms * 2.0**-24
    size = float(longest) ** 0.5 * float(np.linalg.norm(hidden.astype(np.float64))) + float(largest)
    underflow = terms * float(np.finfo(np.float32).tiny)
    return scores, 4 * (roundoff / (1 - roundoff) * size + underflow)


@kernel
def exact_scores(
    table: NDArray[np.float32],
    bias: NDArray[np.float32],
    hidden: NDArray[np.float32],
    items: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return the scores (T,) of any items, summed from the bias on in the order of the table's columns, as
    the tiles of `model.products.scores_of` are."""
    scores = np.empty((len(items), 1), np.float32)
    rows, start = np.empty((TALL, table.shape[1]), np.float32), np.empty(TALL, np.float32)
    column = hidden.reshape(-1, 1)
    for first in range(0, len(items), TALL):
        count = min(TALL, len(items) - first)
        for i in range(count):
            start[i] = bias[items[first + i]]
            rows[i] = table[items[first + i]]
        product_piece(rows[:count], column, scores[first : first + count], (0, 0), start, False, 1)
    return scores[:, 0]


@kernel
def dot_rows(
    table: NDArray[np.float32],
    bias: NDArray[np.float32],
    hidden: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> tuple[np.float32, np.float32]:
    """Fill the scores (N,); return the largest squared norm of a row and the largest size of a bias."""
    longest, largest = np.float32(0), np.float32(0)
    for i in range(len(table)):
        prefetch(table, min(i + AHEAD, len(table) - 1), 0)
        score, squares = dot_and_square(table[i], hidden)
        scores[i] = score + bias[i]
        longest = max(longest, squares)
        largest = max(largest, abs(bias[i]))
    return longest, largest
