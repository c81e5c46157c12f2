"""Answers for a few prefixes from rough scores: equal to a full sort of the exact ones, or the long way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_gru.errors import NonFiniteScoresError
from recsys_gru.kernels.bars import Bars, may_be_given
from recsys_gru.ranking import Block, Candidates, scorer, top_k, topk
from recsys_gru.ranking.rough import Rough
from tests.oracles import slow_top_k

pytestmark = pytest.mark.kernels


class Nearly(scorer.Block):
    """Exact scores (N,) or (Q, N) and rough ones beside them; counts how often a tile is asked for."""

    def __init__(self, exact: NDArray[np.float32], rough: NDArray[np.float32], error: float) -> None:
        self._exact, self._rough, self._error = np.atleast_2d(exact), np.atleast_2d(rough), error
        self.rows, self.n_items = np.arange(len(self._exact)), self._exact.shape[1]
        self.tiles = 0

    def tile(self, start: int, stop: int) -> NDArray[np.float32]:
        self.tiles += 1
        return self._exact[:, start:stop]

    def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        return self._exact[np.arange(len(items)) if rows is None else rows, items]

    def rough(self, row: int) -> Rough:
        return Rough(self._rough[row], self._error, False)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(1, 60),
    k=st.integers(1, 70),
    levels=st.sampled_from([1, 3, 1000]),
    error=st.sampled_from([0.0, 0.5, 4.0]),
    longest=st.sampled_from([-1000, 0, 1024]),
    share=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_top_k_equals_a_full_sort_of_the_exact_scores_whatever_the_error(
    seed: int, items: int, k: int, levels: int, error: float, longest: int, share: float
) -> None:
    generator = np.random.default_rng(seed)
    exact = (generator.integers(-levels, levels, items) / 8).astype(np.float32)
    rough = (exact + generator.uniform(-error, error, items)).astype(np.float32)
    distance = float(np.abs(rough.astype(np.float64) - exact).max())
    keep = generator.random(items) < share
    none = np.empty(0, dtype=np.int64)
    candidates = Candidates(keep, None, np.zeros(1, dtype=np.int64), none.astype(np.int32), none)
    block = Nearly(exact, rough, distance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "LONGEST", longest)
        found, scores = top_k(block, k, None if share == 1 else candidates)
    expected = slow_top_k(exact.tolist(), k, [True] * items if share == 1 else keep.tolist())
    assert found[0].tolist() == expected
    np.testing.assert_array_equal(scores[0], np.where(found[0] >= 0, exact[found[0]], -np.inf))


@pytest.mark.parametrize("rows", [2, Block.ONE_BY_ONE, Block.ONE_BY_ONE + 1])
def test_a_few_rows_are_answered_each_with_what_was_barred_for_it(rows: int) -> None:
    generator = np.random.default_rng(rows)
    exact = generator.normal(size=(rows, 400)).astype(np.float32)
    seen = np.sort(generator.integers(0, 400, 9 * rows)).astype(np.int32)
    owner = generator.integers(0, rows, 9 * rows)
    keep = generator.random(400) < 0.7
    block = Nearly(exact, exact, 1e-6)
    found, scores = top_k(block, 5, Candidates(keep, None, np.zeros(rows, np.int64), seen, owner))
    assert (block.tiles == 0) == (rows <= Block.ONE_BY_ONE)
    for row in range(rows):
        allowed = keep.copy()
        allowed[seen[owner == row]] = False
        assert found[row].tolist() == slow_top_k(exact[row].tolist(), 5, allowed.tolist())
        np.testing.assert_array_equal(scores[row], exact[row, found[row]])


def test_a_short_list_needs_no_tile_and_too_long_a_one_takes_the_long_way() -> None:
    exact = np.random.default_rng(2).normal(size=5000).astype(np.float32)
    clear, unclear = Nearly(exact, exact, 1e-6), Nearly(exact, exact, 10.0)
    np.testing.assert_array_equal(top_k(clear, 20)[0], top_k(unclear, 20)[0])
    assert (clear.tiles, unclear.tiles > 0) == (0, True)
    same = Nearly(np.ones(5000, dtype=np.float32), np.ones(5000, dtype=np.float32), 0.0)
    assert top_k(same, 3)[0].tolist() == [[0, 1, 2]]
    assert same.tiles > 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rough_scores_or_errors_that_are_not_finite_leave_the_word_to_the_exact_ones(bad: float) -> None:
    exact = np.arange(6, dtype=np.float32)
    rough = exact.copy()
    rough[2] = bad
    assert top_k(Nearly(exact, rough, 0.1), 2)[0].tolist() == [[5, 4]]
    assert top_k(Nearly(exact, exact, bad), 2)[0].tolist() == [[5, 4]]
    with pytest.raises(NonFiniteScoresError):
        top_k(Nearly(rough, rough, 0.1), 2)


class Listed(Nearly):
    """Tells which items may be among the best, more than are; or that it cannot tell."""

    knows = True

    def short(self, k: int, bars: Bars, length: int) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        rows, items = self._exact.shape
        told = [(row, item) for row in range(rows) for item in range(items) if may_be_given(bars, item, row)]
        owners, listed = np.array(told).T
        return (listed.astype(np.int32), owners) if self.knows and k and length >= items else None


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize("barred", [True, False])
def test_what_is_listed_is_ranked_and_rows_without_items_end_in_none(knows: bool, barred: bool) -> None:
    generator = np.random.default_rng(1)
    exact = generator.integers(0, 5, (20, 30)).astype(np.float32)
    seen = np.sort(np.repeat(np.arange(30), 20)).astype(np.int32)
    owner = np.tile(np.arange(20), 30)
    taken = generator.random(600) < np.where(owner == 3, 1.0, 0.5)
    candidates = Candidates(np.ones(30, np.bool_), None, np.zeros(20, np.int64), seen[taken], owner[taken])
    block = Listed(exact, exact, 10.0)
    block.knows = knows
    found, scores = top_k(block, 6, candidates if barred else None)
    assert (block.tiles == 0) == knows
    for row in range(20):
        allowed = [not (barred and taken[(seen == item) & (owner == row)].any()) for item in range(30)]
        assert found[row].tolist() == slow_top_k(exact[row].tolist(), 6, allowed)
        np.testing.assert_array_equal(scores[row], np.where(found[row] >= 0, exact[row, found[row]], -np.inf))
