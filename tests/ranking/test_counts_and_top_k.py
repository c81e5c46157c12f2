"""Ranks and top k against plain sorts, over ties, masks, tile borders and broken scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_gru.errors import NonFiniteScoresError, ParameterError
from recsys_gru.ranking import Candidates, MatrixBlock, rank_counts, scorer, top_k
from tests.oracles import slow_counts, slow_top_k

pytestmark = pytest.mark.kernels

Case = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Scores of few levels, so ties abound, targets, and one mask of items for all rows."""
    rows, items = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    levels = draw(st.sampled_from([1, 2, 5, 100]))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    scores = generator.integers(-levels, levels, (rows, items)).astype(np.float32)
    targets = generator.integers(0, items, rows).astype(np.int32)
    return scores, targets, generator.random(items) < draw(st.sampled_from([0.3, 1.0]))


def block_of(scores: NDArray[np.float32]) -> MatrixBlock:
    return MatrixBlock(np.arange(len(scores), dtype=np.int64), scores)


def candidates_of(keep: NDArray[np.bool_], rows: int) -> Candidates:
    none = np.empty(0, dtype=np.int64)
    return Candidates(keep, None, np.zeros(rows, dtype=np.int64), none.astype(np.int32), none)


@settings(max_examples=150, deadline=None)
@given(case=cases(), width=st.integers(1, 5))
def test_counts_equal_one_comparison_at_a_time(case: Case, width: int) -> None:
    scores, targets, keep = case
    masks = np.repeat(keep[None], len(scores), axis=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorer, "tile_width", lambda _rows: width)
        above, ties = rank_counts(block_of(scores), targets, candidates_of(keep, len(scores)))
    expected = slow_counts(scores.tolist(), targets.tolist(), masks.tolist())
    assert list(zip(above.tolist(), ties.tolist(), strict=True)) == expected


@settings(max_examples=150, deadline=None)
@given(case=cases(), k=st.integers(1, 14), width=st.integers(1, 5))
def test_top_k_equals_a_full_sort(case: Case, k: int, width: int) -> None:
    scores, _, keep = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorer, "tile_width", lambda _rows: width)
        items, best = top_k(block_of(scores), k, candidates_of(keep, len(scores)))
    for row, found, values in zip(scores, items, best, strict=True):
        assert found.tolist() == slow_top_k(row.tolist(), k, keep.tolist())
        given_scores = np.where(found >= 0, row[found], -np.inf)
        np.testing.assert_array_equal(values, given_scores)


def test_top_k_over_many_chunks_and_tiles_equals_a_full_sort() -> None:
    scores = np.random.default_rng(5).integers(0, 400, (3, 10_000)).astype(np.float32)
    items, _ = top_k(block_of(scores), 50)
    for row, found in zip(scores, items, strict=True):
        assert found.tolist() == np.lexsort((np.arange(10_000), -row))[:50].tolist()


def test_counts_over_many_tiles_equal_numpy_sums() -> None:
    generator = np.random.default_rng(6)
    scores = generator.integers(0, 400, (300, 9_000)).astype(np.float32)
    targets = generator.integers(0, 9_000, 300).astype(np.int32)
    above, ties = rank_counts(block_of(scores), targets)
    own = scores[np.arange(300), targets][:, None]
    np.testing.assert_array_equal(above, (scores > own).sum(axis=1))
    np.testing.assert_array_equal(ties, (scores == own).sum(axis=1))


def test_a_target_is_its_own_tie_even_if_its_tile_score_is_rounded_otherwise() -> None:
    class Rounded(scorer.Block):
        rows = np.array([0])
        n_items = 3

        def tile(self, start: int, stop: int) -> NDArray[np.float32]:
            return np.array([[1.0, 2.0000002, 3.0]], dtype=np.float32)[:, start:stop]

        def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
            return np.array([2.0], dtype=np.float32)[items - 1]

    above, ties = rank_counts(Rounded(), np.array([1], dtype=np.int32))
    assert (above.tolist(), ties.tolist()) == ([1], [1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 4])
def test_a_score_that_is_not_finite_is_refused_wherever_it_stands(bad: float, place: int) -> None:
    scores = np.zeros((2, 5), dtype=np.float32)
    scores[1, place] = bad
    with pytest.raises(NonFiniteScoresError, match=r"1 of 2 prefixes .*\[1\]"):
        rank_counts(block_of(scores), np.array([1, 1], dtype=np.int32))
    with pytest.raises(NonFiniteScoresError, match="NaN or infinity"):
        top_k(block_of(scores), 2)


def test_extreme_but_finite_scores_are_ranked() -> None:
    scores = np.array([[np.finfo(np.float32).max, np.finfo(np.float32).min, 0]], dtype=np.float32)
    above, _ = rank_counts(block_of(scores), np.array([1], dtype=np.int32))
    assert above.tolist() == [2]
    assert top_k(block_of(scores), 3)[0].tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("rows", [1, 7, 256, 1000])
def test_no_more_than_a_tile_of_scores_is_asked_for_at_once(rows: int) -> None:
    class Wide(scorer.Block):
        n_items = 300_000

        def __init__(self) -> None:
            self.rows = np.arange(rows)
            self.asked: list[int] = []

        def tile(self, start: int, stop: int) -> NDArray[np.float32]:
            self.asked.append((stop - start) * len(self.rows))
            return np.zeros((len(self.rows), stop - start), dtype=np.float32)

        def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
            return np.zeros(len(items), dtype=np.float32)

    block = Wide()
    for start, stop in scorer.spans(block):
        block.tile(start, stop)
    assert sum(block.asked) == rows * block.n_items
    assert max(block.asked) <= max(2**18, rows * 1024)


def test_no_rows_give_empty_answers() -> None:
    empty = block_of(np.empty((0, 4), dtype=np.float32))
    assert rank_counts(empty, np.empty(0, dtype=np.int32))[0].shape == (0,)
    assert top_k(empty, 3)[0].shape == (0, 3)


def test_fewer_than_one_item_cannot_be_asked_for() -> None:
    with pytest.raises(ParameterError, match="got 0"):
        top_k(block_of(np.zeros((1, 2), dtype=np.float32)), 0)
