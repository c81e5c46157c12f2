"""Exact top k over the whole catalogue, tile by tile, with a small heap per row."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.errors import ParameterError
from recsys_gru.kernels.bars import NO_BARS
from recsys_gru.kernels.tiles import Heaps, short_list
from recsys_gru.ranking.filters import Candidates
from recsys_gru.ranking.scorer import NO_MASK, Block, refuse_non_finite, spans

FEW = 64
"""Rows that are answered from a list of those that may be among the best, where one comes quickly."""
ROOM = 16_384
"""Items that may be listed of a row of several, beside 4 k: while the best are not known yet many may be."""
LONGEST = 1024
"""Items scored once more for a single row, beside 4 k; where more are too near to each other, all are."""
NOTHING = np.empty(0, np.int32)


def top_k(
    block: Block, k: int, candidates: Candidates | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find the k best items of each row exactly: by score descending, equal scores by item number ascending.

    Args:
        block: scores of Q prefixes.
        k: items wanted; where fewer are allowed the row ends in items -1 with score minus infinity.
        candidates: which items may be given; all of them if not given.

    Returns:
        items (Q, k) and scores (Q, k).

    Raises:
        NonFiniteScoresError: if any score is NaN or infinite.
        ParameterError: if k is below 1.

    >>> from recsys_gru.ranking import MatrixBlock
    >>> block = MatrixBlock(np.array([0]), np.array([[1.0, 3.0, 2.0, 3.0]], dtype=np.float32))
    >>> items, scores = top_k(block, 3)
    >>> items.tolist(), scores.tolist()
    ([[1, 3, 2]], [[3.0, 3.0, 2.0]])
    """
    if k < 1:
        raise ParameterError(f"expected k of at least 1 item, got {k}: ask for one item or more")
    if len(block.rows) <= FEW and (quick := _short_first(block, k, candidates)) is not None:
        return quick
    if len(block.rows) <= block.ONE_BY_ONE and (quick := _one_by_one(block, k, candidates)) is not None:
        return quick
    best, items, broken = heaps = _empty_heaps(len(block.rows), k)
    for start, stop in spans(block):
        allowed = NO_MASK if candidates is None else candidates.tile(start, stop)
        block.offer(start, stop, allowed, heaps)
    refuse_non_finite(block, broken)
    order = np.lexsort((items, -best), axis=1)  # (Q, k)
    return np.take_along_axis(items, order, axis=1), np.take_along_axis(best, order, axis=1)


def _short_first(
    block: Block, k: int, candidates: Candidates | None
) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """What ``top_k`` answers, by scoring a few items exactly; None where these cannot be told quickly."""
    listed = block.short(k, NO_BARS if candidates is None else candidates.bars(), ROOM + 4 * k)
    return None if listed is None else _best_of(block, *listed, k)


def _one_by_one(
    block: Block, k: int, candidates: Candidates | None
) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """The same, from a list row by row; None where one of them needs all the scores."""
    bars = NO_BARS if candidates is None else candidates.bars()
    lists = []
    for row in range(len(block.rows)):
        rough = block.rough(row)
        short, told = (NOTHING, False) if rough is None else short_list(rough, k, bars, row, LONGEST + 4 * k)
        if not told:
            return None
        lists.append(short)
    rows = np.repeat(np.arange(len(lists)), [len(short) for short in lists])
    return _best_of(block, np.concatenate([NOTHING, *lists]), rows, k)


def _best_of(
    block: Block, short: NDArray[np.int32], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k best of listed items (P,) for each row, by their exact scores; rows (P,) ascend."""
    scores = block.own(short, rows)
    order = np.lexsort((short, -scores, rows))
    short, rows, scores = short[order], rows[order], scores[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    best, items, _ = _empty_heaps(len(block.rows), k)
    among = place < k
    items[rows[among], place[among]], best[rows[among], place[among]] = short[among], scores[among]
    return items, best


def _empty_heaps(rows: int, k: int) -> Heaps:
    """Heaps of scores and of items (Q, k), and whether a row has shown a score that is not finite (Q,)."""
    best, items = np.full((rows, k), -np.inf, dtype=np.float32), np.full((rows, k), -1, dtype=np.int32)
    return best, items, np.zeros(rows, dtype=np.bool_)
