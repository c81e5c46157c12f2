"""The one primitive of exact evaluation: how many items score above the target, and how many equal to it."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.jit import kernel
from recsys_gru.ranking.filters import Candidates
from recsys_gru.ranking.scorer import Block, refuse_non_finite, tiles


@kernel
def count_tile(
    scores: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    own: NDArray[np.float32],
    columns: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Add each row's items above, items equal and non-finite scores to ``counts`` (3, Q).

    ``allowed`` (Q, T) masks the items that compete; (0, 1) lets all. The target's own column is left out.
    """
    largest = np.float32(np.finfo(np.float32).max)
    zero, one = np.float32(0), np.float32(1)
    for q in range(scores.shape[0]):
        above, equal, broken = zero, zero, zero  # float32 like the scores, for full vectors; exact to 2**24
        for j in range(scores.shape[1]):
            score = scores[q, j]
            competes = one if allowed.size == 0 or allowed[q, j] else zero
            above += competes if score > own[q] else zero
            equal += competes if score == own[q] else zero
            broken += zero if abs(score) <= largest else one
        column = columns[q]
        if 0 <= column < scores.shape[1] and (allowed.size == 0 or allowed[q, column]):
            above -= one if scores[q, column] > own[q] else zero
            equal -= one if scores[q, column] == own[q] else zero
        counts[0, q] += np.int64(above)
        counts[1, q] += np.int64(equal)
        counts[2, q] += np.int64(broken)


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
    counts = np.zeros((3, len(own)), dtype=np.int64)
    for start, scores in tiles(block):
        allowed = _no_mask if candidates is None else candidates.tile(start, start + scores.shape[1])
        count_tile(scores, allowed, own, targets.astype(np.int64) - start, counts)
    refuse_non_finite(block, counts[2] > 0)
    return counts[0], counts[1] + 1


_no_mask = np.empty((0, 1), dtype=np.bool_)
