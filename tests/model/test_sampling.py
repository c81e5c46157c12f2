"""Negative samples follow support ** alpha, and a step's distinct rows are counted rightly."""

import numpy as np
import pytest
import torch
from scipy import stats

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
def test_columns_weigh_targets_by_support_and_samples_by_support_to_alpha() -> None:
    collector = SampledCandidates(SUPPORT, logq=0.7, alpha=0.4, dtype=torch.float64)
    (rows,) = collector.collect(np.array([[0], [4]]), np.array([4, 9]), np.array([[9, 9, 2]]), [[2]])
    assert rows.rows.tolist() == [4, 9, 2, 0]
    assert rows.inputs.tolist() == [[0], [4]]
    assert rows.input_at.tolist() == [[3], [0]]
    assert rows.columns.counts.tolist() == [[1, 3, 1]]
    support = SUPPORT.astype(float)
    expected = [support[4] ** -0.7, support[9] ** -0.7 + 2 * support[9] ** -0.28, support[2] ** -0.28]
    np.testing.assert_allclose(rows.columns.weights.numpy(), [expected])
    np.testing.assert_allclose(rows.columns.target_log_q.numpy(), 0.7 * np.log(support[[4, 9]]))


@pytest.mark.kernels
def test_a_step_counts_its_own_targets_and_the_shared_samples_but_not_the_targets_of_other_steps() -> None:
    collector = SampledCandidates(SUPPORT, logq=1.0, alpha=0.5, smoothing=True)
    targets, samples = np.array([4, 9, 4, 2, 4]), np.array([[9, 9, 2]])
    (rows,) = collector.collect(np.array([[0], [1], [2], [3], [5]]), targets, samples, [[2, 2, 1]])
    assert rows.rows[: rows.n_candidates].tolist() == [4, 9, 2]
    assert rows.columns.target.tolist() == [0, 1, 0, 2, 0]
    assert rows.columns.step.tolist() == [0, 0, 1, 1, 2]
    assert rows.columns.counts.tolist() == [[1, 3, 1], [1, 2, 2], [1, 2, 1]]
    for step, own in enumerate(([4, 9], [4, 2], [4])):
        (alone,) = collector.collect(np.array(own)[:, None], np.array(own), samples, [[len(own)]])
        places = [rows.rows.tolist().index(item) for item in alone.rows[: alone.n_candidates].tolist()]
        torch.testing.assert_close(rows.columns.weights[step, places], alone.columns.weights[0])
        torch.testing.assert_close(rows.columns.mean_log_q[step], alone.columns.mean_log_q[0])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("smoothing", [True, False])
def test_steps_collected_together_are_those_collected_one_by_one(tied: bool, smoothing: bool) -> None:
    rng = np.random.default_rng(2)
    inputs, targets, samples = (rng.integers(0, 10, size) for size in ((9, 2), 9, (3, 4)))
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
