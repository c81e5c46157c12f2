"""The one primitive of exact evaluation: how many items score above the target, and how many equal to it."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.ranking.filters import Candidates
from recsys_gru.ranking.scorer import NO_MASK, Block, refuse_non_finite, spans
from recsys_gru.ranking.topk import top_k


def rank_counts(
    block: Block, targets: NDArray[np.int32], candidates: Candidates | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, for each row, the items scored above its target and those scored equal to it.

    Args:
        block: scores of Q prefixes.
        targets: the next item (Q,) of each prefix.
        candidates: which items compete; all of them if not given. The target itself always does.

    Returns:
        above (Q,) and ties (Q,); the target counts once in ties and never in above, whatever the rounding.

    Raises:
        NonFiniteScoresError: if any score, the target's included, is NaN or infinite.

    >>> from recsys_gru.ranking import MatrixBlock
    >>> block = MatrixBlock(np.array([0]), np.array([[3.0, 1.0, 2.0, 1.0]], dtype=np.float32))
    >>> above, ties = rank_counts(block, np.array([1], dtype=np.int32))
    >>> above.tolist(), ties.tolist()
    ([2], [2])
    """
    own = np.ascontiguousarray(block.own(targets), dtype=np.float32)  # (Q,)
    refuse_non_finite(block, ~np.isfinite(own))
    if (quick := _at_once(block, targets, own, candidates)) is not None:
        return quick
    counts = np.zeros((3, len(own)), dtype=np.int64)
    for start, stop in spans(block):
        allowed = NO_MASK if candidates is None else candidates.tile(start, stop)
        block.count(start, stop, allowed, (own, targets.astype(np.int64)), counts)
    refuse_non_finite(block, counts[2] > 0)
    return counts[0], counts[1] + 1


def counts_within(
    block: Block, targets: NDArray[np.int32], depth: int, candidates: Candidates | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count as ``rank_counts`` does, but only as far as to tell the ranks up to ``depth``, from lists where
    these take less time.

    Returns:
        above (Q,) and ties (Q,); of lists, where more than ``depth`` items score above a target, or as
        much, N in place of the number that these do not tell: of ties, or of those above too.

    >>> from recsys_gru.ranking import MatrixBlock
    >>> scores = np.array([[3.0, 1.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0]], np.float32)
    >>> block = MatrixBlock(np.array([0, 1]), scores)
    >>> above, ties = counts_within(block, np.array([2, 3], dtype=np.int32), 2)
    >>> above.tolist(), ties.tolist()
    ([1, 4], [1, 1])
    """
    if block.COUNTS:
        return rank_counts(block, targets, candidates)
    own = np.ascontiguousarray(block.own(targets), dtype=np.float32)[:, None]  # (Q, 1)
    refuse_non_finite(block, ~np.isfinite(own[:, 0]))
    items, scores = top_k(block, depth + 1, candidates)
    others = items != targets[:, None]
    above, ties = ((others & which).sum(axis=1) for which in (scores > own, scores == own))
    last = scores[:, -1:]  # minus infinity where a list holds all there are
    above[(last > own)[:, 0]] = block.n_items
    ties[(last == own)[:, 0]] = block.n_items
    return above, ties + 1


def counts_as_shown(
    block: Block,
    targets: NDArray[np.int32],
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    seen: tuple[NDArray[np.int32], NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The counts of ``rank_counts`` without the items that each prefix holds already.

    Args:
        block: scores of Q prefixes.
        targets: the next item (Q,) of each prefix.
        counts: above (Q,) and ties (Q,) over all items.
        seen: items (P,) and rows (P,) of the pairs to leave out, as ``seen_pairs`` gives them, less those
            that did not compete.

    Returns:
        above (Q,) and ties (Q,); ties is 0 where the target itself is left out.

    >>> from recsys_gru.ranking import MatrixBlock
    >>> block = MatrixBlock(np.array([0]), np.array([[3.0, 1.0, 2.0, 1.0]], dtype=np.float32))
    >>> target, seen = np.array([1], dtype=np.int32), (np.array([0], dtype=np.int32), np.array([0]))
    >>> counts = rank_counts(block, target)
    >>> [count.tolist() for count in counts_as_shown(block, target, counts, seen)]
    [[1], [2]]
    """
    items, rows = seen
    order = np.argsort(rows, kind="stable")
    items, rows = items[order], rows[order]
    again = np.zeros(len(targets), np.bool_)
    again[rows[items == targets[rows]]] = True
    others = items != targets[rows]
    above, ties = _less(block, counts, block.own(targets), items[others], rows[others])
    return above, np.where(again, 0, ties)


def _at_once(
    block: Block, targets: NDArray[np.int32], own: NDArray[np.float32], candidates: Candidates | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """What ``rank_counts`` counts, without tiles; None where that does not go, or not quickly."""
    if candidates is not None and candidates.live is not None:
        return None
    keep = NO_MASK[:, 0] if candidates is None else candidates.keep
    counts = block.counted(own, keep)
    if counts is None:
        return None
    rows, items = np.arange(len(own)), targets
    if candidates is not None:
        rows = np.concatenate((rows, candidates.seen_rows))
        items = np.concatenate((items, candidates.seen_items))
        rows, items = np.divmod(np.unique(rows * block.n_items + items), block.n_items)
        rows, items = rows[keep[items]], items[keep[items]].astype(np.int32)
    above, ties = _less(block, (counts[0], counts[1]), own, items, rows)
    return above, ties + 1


def _less(
    block: Block,
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    own: NDArray[np.float32],
    items: NDArray[np.int32],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The counts above and equal without some pairs of item and row (P,), ascending by row."""
    own, scores = own.copy(), block.own(items, rows)
    above, equal = (
        np.bincount(rows[which], minlength=len(own)) for which in (scores > own[rows], scores == own[rows])
    )
    return counts[0] - above, counts[1] - equal
