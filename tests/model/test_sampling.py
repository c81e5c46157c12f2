"""Negative samples follow support ** alpha, and a step's distinct rows are counted rightly."""

import numpy as np
import pytest
import torch
from scipy import stats

from recsys_gru.model.candidates import SampledCandidates
from recsys_gru.model.kernels import alias_table, distinct
from recsys_gru.model.sampling import NegativeSampler

SUPPORT = np.array([1, 1, 2, 3, 5, 8, 13, 21, 34, 55])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_frequencies_follow_support_to_the_power_alpha(alpha: float) -> None:
    sampler = NegativeSampler(SUPPORT, 500, alpha=alpha, seed=np.random.SeedSequence(3))
    counts = np.zeros(len(SUPPORT))
    for _ in range(200):
        counts += np.bincount(sampler.draw(), minlength=len(SUPPORT))
    expected = SUPPORT**alpha / (SUPPORT**alpha).sum() * counts.sum()
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_draws_repeat_with_the_seed_and_leave_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    first, second = (
        NegativeSampler(SUPPORT, 50, alpha=0.5, seed=np.random.SeedSequence(9)) for _ in range(2)
    )
    assert first.draw().tolist() == second.draw().tolist()
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]  # noqa: NPY002


def test_the_next_draw_fills_the_same_buffer() -> None:
    sampler = NegativeSampler(SUPPORT, 50, alpha=0.5, seed=np.random.SeedSequence(9))
    assert sampler.draw() is sampler.draw()


@pytest.mark.kernels
def test_the_alias_table_holds_the_distribution_exactly() -> None:
    probabilities = SUPPORT / SUPPORT.sum()
    share, other = np.empty(10), np.empty(10, np.int32)
    alias_table(probabilities, share, other)
    held = share.copy()
    for column in range(10):
        held[other[column]] += (1 - share[column]) if other[column] != column else 0
    np.testing.assert_allclose(held / 10, probabilities)


@pytest.mark.kernels
def test_distinct_rows_put_candidates_first_and_count_each_kind_of_draw() -> None:
    slots, rows, drawn = np.full(9, -1, np.int32), np.empty(9, np.int64), np.empty((2, 9))
    at = np.empty(4, np.int64)
    places = (np.array([3, 5]), np.array([5, 7, 5]), np.array([8, 3]))
    assert distinct(places, slots, rows, drawn, at) == (3, 4)
    assert rows[:4].tolist() == [3, 5, 7, 8]
    assert drawn[:, :3].tolist() == [[1, 1, 0], [0, 2, 1]]
    assert at.tolist() == [0, 1, 3, 0]
    assert (slots == -1).all()


@pytest.mark.kernels
def test_columns_weigh_targets_by_support_and_samples_by_support_to_alpha() -> None:
    collector = SampledCandidates(SUPPORT, 16, logq=0.7, alpha=0.4, dtype=torch.float64)
    rows = collector.collect(np.array([0]), np.array([4, 9]), np.array([9, 9, 2]))
    assert rows.rows.tolist() == [4, 9, 2, 0]
    assert rows.columns.counts.tolist() == [1, 3, 1]
    support = SUPPORT.astype(float)
    expected = [support[4] ** -0.7, support[9] ** -0.7 + 2 * support[9] ** -0.28, support[2] ** -0.28]
    np.testing.assert_allclose(rows.columns.log_weights.exp().numpy(), expected)
    np.testing.assert_allclose(rows.columns.target_log_q.numpy(), 0.7 * np.log(support[[4, 9]]))
