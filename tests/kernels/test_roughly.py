"""Rough scores against whole numbers, and the same bits however they are come by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels import roughly
from recsys_gru.kernels.coarse import OFFSET, coarse_of
from recsys_gru.kernels.roughly import raise_rows, rough_scores
from recsys_gru.kernels.shortlists import byte_states

pytestmark = pytest.mark.kernels


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 130), st.sampled_from([1, 2, 3, 16, 19]))
def test_rough_scores_are_those_of_whole_steps(seed: int, items: int, units: int, asked: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((items, units)).astype(np.float32)
    bias, hidden = (rng.standard_normal(shape).astype(np.float32) for shape in (items, (asked, units)))
    coarse = coarse_of(table, bias)
    assert coarse is not None
    scores, errors = rough_scores(coarse, bias, hidden)
    states = byte_states(coarse, hidden)
    whole = coarse.rows.astype(np.int64) @ (states.flat.astype(np.int64) - OFFSET).T
    steps = coarse.scales[:, None] * states.steps[:asked]
    assert (scores == (whole.astype(np.float32) * steps + bias[:, None]).T).all()
    exact = hidden.astype(np.float64) @ table.astype(np.float64).T + bias
    assert (np.abs(scores - exact) <= errors[:, None]).all()
    for row in range(asked):
        assert (rough_scores(coarse, bias, hidden[[row]])[0][0] == scores[row]).all()


def test_a_processor_without_products_of_bytes_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    table, hidden = rng.standard_normal((50, 7)).astype(np.float32), rng.standard_normal((20, 7), np.float32)
    bias = rng.standard_normal(50).astype(np.float32)
    coarse = coarse_of(table, bias)
    assert coarse is not None
    quick, _ = rough_scores(coarse, bias, hidden)
    monkeypatch.setattr(roughly, "HAS_BYTES", False)
    assert (rough_scores(coarse, bias, hidden)[0] == quick).all()


def test_a_state_that_is_not_finite_has_no_error_that_is() -> None:
    bias = np.zeros(9, np.float32)
    coarse = coarse_of(np.ones((9, 3), np.float32), bias)
    assert coarse is not None
    hidden = np.array([[1, 2, 3], [1, np.nan, 3]], np.float32)
    _, errors = rough_scores(coarse, bias, hidden)
    assert np.isfinite(errors).tolist() == [True, False]


@given(st.integers(0, 2**32 - 1), st.integers(1, 1200), st.sampled_from([0.35, 1.0, 2.0]), st.floats(0.1, 60))
def test_raised_rows_are_the_terms_of_a_softmax(
    seed: int, items: int, temperature: float, wide: float
) -> None:
    scores = (wide * np.random.default_rng(seed).standard_normal((3, items))).astype(np.float32)
    raised, (tops, sums) = scores.copy(), np.empty((2, 3), np.float32)
    raise_rows(raised, np.float32(temperature), tops, sums)
    double = scores.astype(np.float64)
    terms = np.exp((double - double.max(axis=1, keepdims=True)) / np.float32(temperature))
    assert (tops == scores.max(axis=1)).all()
    np.testing.assert_allclose(raised, terms, rtol=2e-5, atol=1e-37)
    np.testing.assert_allclose(sums, terms.sum(axis=1), rtol=2e-6)
