"""Ranking a tile of scores while each thread has its rows of them in the cache."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.coarse import exact_scores
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import product, with_bias
from recsys_gru.kernels.tiles import Heaps, Targets, count_tile, push_tile

Masks = NDArray[np.bool_]
Singles = NDArray[np.float32]
Items = tuple[Floats, Floats]
"""Rows of the item table (T, H), and biases (T,)."""
ROWS = 64
"""Prefixes that make a part of the work: with a tile of 512 items, 128 KB of scores."""


@kernel
def _scores(lanes: Floats, turned: Floats) -> Singles:
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
def offer_shared(lanes: Floats, items: Items, allowed: Masks, start: int, heaps: Heaps, threads: int) -> None:
    """Offer the scores of some items, from number `start` on, for hidden states behind ones (Q, H + 1), as
    `push_tile` does."""
    state = (lanes, with_bias(*items), allowed, start, heaps)
    share_out(_offer_part, state, -(-len(lanes) // ROWS), threads)


@kernel
def own_scores(
    table: Singles, bias: Singles, hidden: Singles, rows: NDArray[np.int64], items: NDArray[np.int32]
) -> Singles:
    """Return the score (P,) of one item for each of the named hidden states (P,) of (Q, H), ascending, to the
    bit that of a tile."""
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
def _count_part(state: tuple[Floats, Floats, Masks, int, Targets, NDArray[np.int64]], part: int) -> None:
    lanes, turned, allowed, start, (own, items), counts = state
    first, last = part * ROWS, min(part * ROWS + ROWS, len(lanes))
    targets = own[first:last], items[first:last]
    scores = _scores(lanes[first:last], turned)
    count_tile(scores, allowed[first:last], start, targets, counts[:, first:last])


@kernel
def count_shared(
    lanes: Floats,
    items: Items,
    allowed: Masks,
    start: int,
    targets: Targets,
    counts: NDArray[np.int64],
    threads: int,
) -> None:
    """Count the scores of some items, from number `start` on, for hidden states behind ones (Q, H + 1), as
    `count_tile` does."""
    state = (lanes, with_bias(*items), allowed, start, targets, counts)
    share_out(_count_part, state, -(-len(lanes) // ROWS), threads)
