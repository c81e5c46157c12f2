"""Negative samples follow support ** alpha, and a step's distinct rows are counted rightly."""

import numpy as np
import pytest
import torch
from scipy import stats

from recsys_gru.kernels.candidates import distinct
from recsys_gru.kernels.sampling import alias_table
from recsys_gru.model.candidates import SampledCandidates
from recsys_gru.model.sampling import NegativeSampler

SUPPORT = np.array([1, 1, 2, 3, 5, 8, 13, 21, 34, 55])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_frequencies_follow_support_to_the_power_alpha(alpha: float) -> None:
    sampler = NegativeSampler(SUPPORT, 500, alpha=alpha, seed=np.random.SeedSequence(3))
    counts = np.bincount(sampler.draw(200).ravel(), minlength=len(SUPPORT))
    expected = SUPPORT**alpha / (SUPPORT**alpha).sum() * counts.sum()
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_draws_repeat_with_the_seed_and_leave_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    first, second = (
        NegativeSampler(SUPPORT, 50, alpha=0.5, seed=np.random.SeedSequence(9)) for _ in range(2)
    )
    assert first.draw(3).tolist() == [second.draw(1)[0].tolist() for _ in range(3)]
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]  # noqa: NPY002


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
def test_distinct_rows_put_candidates_first_and_sum_the_weights_of_their_draws() -> None:
    slots, rows, drawn = np.full(9, -1, np.int32), np.empty(9, np.int64), np.empty((2, 9))
    target_at, input_at = np.empty(3, np.int64), np.empty(3, np.int64)
    weights = np.array([np.arange(9) / 10, np.arange(9) / 100])
    places = (np.array([3, 5, 7]), np.array([[5, 7, 5], [7, 1, 1]]), np.array([8, 3, 3]))
    sizes = np.array([1, 1]), np.array([2, 1])  # steps of each window, targets of each step
    made = distinct(places, sizes, weights, slots, (rows, drawn, target_at, input_at))
    assert made.tolist() == [[3, 2], [4, 3]]
    assert rows[:7].tolist() == [3, 5, 7, 8, 7, 1, 3]
    assert drawn[0, :5].tolist() == [1, 3, 1, 2, 2]
    np.testing.assert_allclose(drawn[1, :5], [0.3, 0.5 + 2 * 0.05, 0.07, 0.7 + 0.07, 2 * 0.01])
    assert target_at.tolist() == [0, 1, 0]
    assert input_at.tolist() == [3, 0, 2]
    assert (slots == -1).all()


@pytest.mark.kernels
def test_columns_weigh_targets_by_support_and_samples_by_support_to_alpha() -> None:
    collector = SampledCandidates(SUPPORT, logq=0.7, alpha=0.4, dtype=torch.float64)
    (rows,) = collector.collect(np.array([0, 4]), np.array([4, 9]), np.array([[9, 9, 2]]), [[2]])
    assert rows.rows.tolist() == [4, 9, 2, 0]
    assert rows.inputs.tolist() == [0, 4]
    assert rows.input_at.tolist() == [3, 0]
    assert rows.columns.counts.tolist() == [[1, 3, 1]]
    support = SUPPORT.astype(float)
    expected = [support[4] ** -0.7, support[9] ** -0.7 + 2 * support[9] ** -0.28, support[2] ** -0.28]
    np.testing.assert_allclose(rows.columns.weights.numpy(), [expected])
    np.testing.assert_allclose(rows.columns.target_log_q.numpy(), 0.7 * np.log(support[[4, 9]]))


@pytest.mark.kernels
def test_a_step_counts_its_own_targets_and_the_shared_samples_but_not_the_targets_of_other_steps() -> None:
    collector = SampledCandidates(SUPPORT, logq=1.0, alpha=0.5, smoothing=True)
    targets, samples = np.array([4, 9, 4, 2, 4]), np.array([[9, 9, 2]])
    (rows,) = collector.collect(np.array([0, 1, 2, 3, 5]), targets, samples, [[2, 2, 1]])
    assert rows.rows[: rows.n_candidates].tolist() == [4, 9, 2]
    assert rows.columns.target.tolist() == [0, 1, 0, 2, 0]
    assert rows.columns.step.tolist() == [0, 0, 1, 1, 2]
    assert rows.columns.counts.tolist() == [[1, 3, 1], [1, 2, 2], [1, 2, 1]]
    for step, own in enumerate(([4, 9], [4, 2], [4])):
        (alone,) = collector.collect(np.array(own), np.array(own), samples, [[len(own)]])
        places = [rows.rows.tolist().index(item) for item in alone.rows[: alone.n_candidates].tolist()]
        torch.testing.assert_close(rows.columns.weights[step, places], alone.columns.weights[0])
        torch.testing.assert_close(rows.columns.mean_log_q[step], alone.columns.mean_log_q[0])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("smoothing", [True, False])
def test_steps_collected_together_are_those_collected_one_by_one(tied: bool, smoothing: bool) -> None:
    rng = np.random.default_rng(2)
    inputs, targets, samples = (rng.integers(0, 10, size) for size in (9, 9, (3, 4)))
    collector = SampledCandidates(SUPPORT, tied=tied, logq=1.0, smoothing=smoothing)
    together = list(collector.collect(inputs, targets, samples, [[4], [4], [1]]))
    for step, (begin, end) in enumerate([(0, 4), (4, 8), (8, 9)]):
        part = slice(begin, end)
        (alone,) = collector.collect(inputs[part], targets[part], samples[[step]], [[end - begin]])
        for one, other in zip(alone[:4], together[step][:4], strict=True):
            assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
        for name in ("target", "step", "counts", "weights", "target_log_q", "mean_log_q"):
            assert torch.equal(getattr(alone.columns, name), getattr(together[step].columns, name))
        assert len(alone.input_at) == (end - begin if tied else 0)
