"""Scores of which a few are raised or lowered rank as if they had been made so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_gru.ranking import Candidates, MatrixBlock, rank_counts, scorer, top_k
from recsys_gru.ranking.raised import Raised, RaisedBlock
from tests.oracles import slow_counts, slow_top_k

pytestmark = pytest.mark.kernels


class Whole(scorer.Block):
    """Scores (Q, N) at hand, counted at once."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        self.rows, self.n_items, self.scores = np.arange(len(scores)), scores.shape[1], scores

    def tile(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.scores[:, start:stop]

    def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        return self.scores[self.rows[: len(items)] if rows is None else rows, items]

    def counted(self, own: NDArray[np.float32], keep: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        scores = self.scores[:, keep] if keep.size else self.scores
        return np.stack([(scores > own[:, None]).sum(1), (scores == own[:, None]).sum(1)])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 4),
    items=st.integers(1, 12),
    levels=st.sampled_from([1, 2, 5]),
    share=st.sampled_from([0.3, 1.0]),
    k=st.integers(1, 14),
    width=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_ranks_and_the_best_are_those_of_the_raised_scores(
    rows: int, items: int, levels: int, share: float, k: int, width: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    plain = generator.integers(-levels, levels, (rows, items)).astype(np.float32)
    added = np.where(generator.random((rows, items)) < 0.4, generator.integers(-3, 4, (rows, items)), 0)
    row, item = np.nonzero(added)
    order = np.lexsort((generator.random(len(row)), row))
    pairs = Raised(row[order], item[order].astype(np.int32), added[row, item][order].astype(np.float32))
    block = RaisedBlock(MatrixBlock(np.arange(rows), plain), pairs)
    quick = RaisedBlock(Whole(plain), pairs)
    scores = plain + added.astype(np.float32)
    np.testing.assert_array_equal(block.tile(0, items), scores)

    keep, none = generator.random(items) < share, np.empty(0, np.int64)
    candidates = (
        None if share == 1 else Candidates(keep, None, np.zeros(rows, int), none.astype(np.int32), none)
    )
    masks = np.ones_like(scores, np.bool_) if share == 1 else np.repeat(keep[None], rows, axis=0)
    targets = generator.integers(0, items, rows).astype(np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorer, "tile_width", lambda _rows: width)
        above, ties = rank_counts(block, targets, candidates)
        best, values = top_k(block, k, candidates)
    expected = slow_counts(scores.tolist(), targets.tolist(), masks.tolist())
    assert list(zip(above.tolist(), ties.tolist(), strict=True)) == expected
    above, ties = rank_counts(quick, targets, candidates)
    assert list(zip(above.tolist(), ties.tolist(), strict=True)) == expected
    for q in range(rows):
        assert best[q].tolist() == slow_top_k(scores[q].tolist(), k, masks[q].tolist())
        real = best[q] >= 0
        np.testing.assert_array_equal(values[q, real], scores[q, best[q, real]])
