"""Ranking a tile of scores while each thread has its rows of them in the cache."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.coarse import exact_scores
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import product, transpose, transposed, with_bias
from recsys_gru.kernels.tiles import Heaps, Targets, count_tile, push_tile

Tile = tuple[Floats, Floats]
"""Rows of the item table (T, H), and their biases (T,)."""
ROWS = 64
"""Prefixes that make a part of the work: with a tile of 512 items, 128 KB of scores."""

FEW = 64
"""Up to so many prefixes the item table is multiplied as it lies; for more it is worth being turned first."""
PIECE = 256
"""Items multiplied at a time as they lie, so that their scores for few prefixes stay in the cache."""


@kernel
def _scores(lanes: Floats, turned: Floats) -> Floats:
    scores = np.empty((len(lanes), turned.shape[1]), np.float32)
    product(lanes, turned, scores, np.zeros(len(lanes), np.float32))
    return scores


@kernel
def _offer_part(state: tuple[Floats, Floats, Masks, int, Heaps], part: int) -> None:
    lanes, turned, allowed, start, (best, items, broken) = state
    first, last = part * ROWS, min(part * ROWS + ROWS, len(lanes))
    heaps = best[first:last], items[first:last], broken[first:last]
    push_tile(_scores(lanes[first:last], turned), allowed[first:last], start, heaps)


@kernel
def _offer_few(turned: Floats, tile: Tile, allowed: Masks, start: int, heaps: Heaps) -> None:
    """As `offer_shared`, for hidden states that stand in columns (H, Q): the table is read once, row by row.

    A score is the bias and the products in the order of the units, as there: the same bits.
    """
    table, bias = tile
    columns = np.empty((PIECE, turned.shape[1]), np.float32)
    scores = np.empty((turned.shape[1], PIECE), np.float32)
    for first in range(0, len(table), PIECE):
        last = min(first + PIECE, len(table))
        product(table[first:last], turned, columns[: last - first], bias[first:last])
        transpose(columns[: last - first], scores[:, : last - first])
        push_tile(scores[:, : last - first], allowed[:, first:last], start + first, heaps)


@kernel
def offer_shared(lanes: Floats, tile: Tile, allowed: Masks, start: int, heaps: Heaps, threads: int) -> None:
    """Offer the scores hidden . table_j + bias_j of some items, from number `start` on, for hidden states
    behind ones (Q, H + 1), as `push_tile` does.

    Twin: a full sort, tests/kernels/test_scores.py::test_offers_leave_what_a_full_sort_of_the_product_does.
    """
    if len(lanes) <= FEW:
        _offer_few(transposed(lanes[:, 1:]), tile, allowed, start, heaps)
        return
    state = (lanes, with_bias(*tile), allowed, start, heaps)
    share_out(_offer_part, state, -(-len(lanes) // ROWS), threads)


@kernel
def own_scores(table: Floats, bias: Floats, hidden: Floats, rows: Items, items: NDArray[np.int32]) -> Floats:
    """Return the score (P,) of one item for each of the named hidden states (P,) of (Q, H), ascending:
    hidden_q . table_j + bias_j, to the bit that of a tile.

    Twin: NumPy, tests/kernels/test_scores.py::test_an_own_score_is_the_product_of_two_rows.
    """
    scores = np.empty(len(items), np.float32)
    first = 0
    while first < len(items):
        last = first + 1
        while last < len(items) and rows[last] == rows[first]:
            last += 1
        scores[first:last] = exact_scores(table, bias, hidden[rows[first]], items[first:last])
        first = last
    return scores


@kernel
def _count_part(state: tuple[Floats, Floats, Masks, int, Targets, Items], part: int) -> None:
    lanes, turned, allowed, start, (own, items), counts = state
    first, last = part * ROWS, min(part * ROWS + ROWS, len(lanes))
    targets = own[first:last], items[first:last]
    scores = _scores(lanes[first:last], turned)
    count_tile(scores, allowed[first:last], start, targets, counts[:, first:last])


@kernel
def count_shared(
    lanes: Floats, tile: Tile, allowed: Masks, start: int, targets: Targets, counts: Items, threads: int
) -> None:
    """Count the scores hidden . table_j + bias_j of some items, from number `start` on, for hidden states
    behind ones (Q, H + 1), as `count_tile` does.

    Twin: comparisons, tests/kernels/test_scores.py::test_counts_are_those_of_the_product.
    """
    state = (lanes, with_bias(*tile), allowed, start, targets, counts)
    share_out(_count_part, state, -(-len(lanes) // ROWS), threads)
