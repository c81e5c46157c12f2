"""Exact top k over the whole catalogue, tile by tile, with a small heap per row."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.errors import ParameterError
from recsys_gru.jit import kernel
from recsys_gru.ranking.filters import Candidates
from recsys_gru.ranking.rough import Rough
from recsys_gru.ranking.scorer import Block, refuse_non_finite, tiles

CHUNK = 128
"""Scores compared with the k-th best in one vector sweep, before any is looked at one by one."""
LONGEST = 1024
"""Items scored once more for a single row, beside 4 k; where more are too near to each other, all are."""


@kernel
def is_worse(score: np.float32, item: np.int32, than_score: np.float32, than_item: np.int32) -> bool:
    """Whether a scored item stands behind another."""
    return bool(score < than_score or (score == than_score and item > than_item))


@kernel
def replace_worst(
    best: NDArray[np.float32], items: NDArray[np.int32], score: np.float32, item: np.int32
) -> None:
    """Put a score in the root's place of a heap (k,); its root is the worst: lowest score, highest item."""
    k, hole, child = best.shape[0], 0, 1
    while child < k:
        right = child + 1
        if right < k and is_worse(best[right], items[right], best[child], items[child]):
            child = right
        if is_worse(score, item, best[child], items[child]):
            break
        best[hole], items[hole] = best[child], items[child]
        hole, child = child, 2 * child + 1
    best[hole], items[hole] = score, item


@kernel
def chunk_hits(scores: NDArray[np.float32], worst: np.float32) -> tuple[bool, bool]:
    """Whether any score of a chunk beats the worst of the heap, and whether any is not finite."""
    largest = np.float32(np.finfo(np.float32).max)
    zero, one = np.float32(0), np.float32(1)
    hits, broken = zero, zero
    for j in range(scores.shape[0]):
        hits += one if scores[j] > worst else zero
        broken += zero if abs(scores[j]) <= largest else one
    return bool(hits > zero), bool(broken > zero)


@kernel
def push_tile(
    scores: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    start: int,
    best: NDArray[np.float32],
    items: NDArray[np.int32],
    broken: NDArray[np.bool_],
) -> None:
    """Offer a tile (Q, T) of the items start.. to the heaps (Q, k); ``allowed`` (Q, T), or (0, 1) for all."""
    width = scores.shape[1]
    for q in range(scores.shape[0]):
        for first in range(0, width, CHUNK):
            last = min(first + CHUNK, width)
            hit, bad = chunk_hits(scores[q, first:last], best[q, 0])
            broken[q] |= bad
            if hit:
                row_mask = allowed[q, first:last] if allowed.size else allowed[:0, 0]
                push_chunk(scores[q, first:last], row_mask, start + first, best[q], items[q])


@kernel
def push_chunk(
    scores: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    start: int,
    best: NDArray[np.float32],
    items: NDArray[np.int32],
) -> None:
    """Offer the scores of one row's chunk to its heap; an equal score of a later item never enters."""
    for j in range(scores.shape[0]):
        if scores[j] > best[0] and (allowed.size == 0 or allowed[j]):
            replace_worst(best, items, scores[j], np.int32(start + j))


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
    rough = block.rough() if len(block.rows) == 1 else None
    quick = None if rough is None else _top_of_one(rough, k, candidates)
    if quick is not None:
        return quick
    best, items, broken = _empty_heaps(len(block.rows), k)
    for start, scores in tiles(block):
        allowed = _no_mask if candidates is None else candidates.tile(start, start + scores.shape[1])
        push_tile(scores, allowed, start, best, items, broken)
    refuse_non_finite(block, broken)
    order = np.lexsort((items, -best), axis=1)  # (Q, k)
    return np.take_along_axis(items, order, axis=1), np.take_along_axis(best, order, axis=1)


def _top_of_one(
    rough: Rough, k: int, candidates: Candidates | None
) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """What ``top_k`` answers for a single row; None if rough scores do not tell the best from the rest.

    k items score at least the k-th best rough score less the error, so no item whose rough score is two
    errors below it is among the best k.
    """
    best, items, broken = _empty_heaps(1, k)
    allowed = _no_mask if candidates is None else candidates.tile(0, len(rough.scores))  # (1, N)
    push_tile(rough.scores[None], allowed, 0, best, items, broken)
    if broken[0] or not np.isfinite(rough.error):
        return None
    limit = max(float(best[0, 0]) - 2 * rough.error, float(np.finfo(np.float32).min))
    short = np.flatnonzero(rough.scores >= np.float32(limit)).astype(np.int32)
    if candidates is not None:
        short = short[allowed[0, short]]
    if len(short) > LONGEST + 4 * k:
        return None
    scores = rough.exact(short)
    order = np.lexsort((short, -scores))[:k]
    best, items, _ = _empty_heaps(1, k)
    items[0, : len(order)], best[0, : len(order)] = short[order], scores[order]
    return items, best


def _empty_heaps(rows: int, k: int) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
    """Heaps of scores and of items (Q, k), and whether a row has shown a score that is not finite (Q,)."""
    best, items = np.full((rows, k), -np.inf, dtype=np.float32), np.full((rows, k), -1, dtype=np.int32)
    return best, items, np.zeros(rows, dtype=np.bool_)


_no_mask = np.empty((0, 1), dtype=np.bool_)
