"""Losses over counted columns against explicit columns, one by one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_gru.errors import ParameterError
from recsys_gru.model import losses
from recsys_gru.model.candidates import Candidates, EveryItem, Rows, SampledCandidates
from recsys_gru.model.gradients import value_and_gradient
from recsys_gru.model.losses import Columns, Loss
from tests import oracle_gru4rec as oracle

SUPPORT = np.array([1, 2, 3, 5, 8, 13, 21])
ALPHA, LOGQ = 0.75, 0.8

Explicit = Callable[[Tensor, int], Tensor]
CASES: dict[str, tuple[Loss, Explicit]] = {
    "bpr-max": (
        partial(losses.bpr_max, bpreg=1.3, elu_param=0.5),
        lambda row, i: oracle.bpr_max(row, i, 1.3, 0.5),
    ),
    "bpr-max-linear": (
        partial(losses.bpr_max, bpreg=0.0, elu_param=0.0),
        lambda row, i: oracle.bpr_max(row, i, 0.0, 0.0),
    ),
    "bpr": (losses.bpr, oracle.bpr),
    "top1": (losses.top1, oracle.top1),
    "top1-max": (losses.top1_max, oracle.top1_max),
    "gbce": (partial(losses.gbce, beta=0.4), lambda row, i: oracle.gbce(row, i, 0.4)),
}
STEPS = {
    "targets among the negatives": ([2, 5, 2], [5, 5, 0, 6, 2]),
    "all distinct": ([0, 1], [2, 3, 4]),
    "a single lane": ([3], [3, 1, 1, 6]),
    "no samples": ([4, 5, 4], []),
}


def step_of(collector: Candidates, targets: list[int], samples: list[int]) -> Rows:
    """The rows of one step, its inputs being its targets."""
    places = np.array(targets)[:, None], np.array(targets), np.array([samples], dtype=np.int64)
    (rows,) = collector.collect(*places, [[len(targets)]])
    return rows


def columns_of(
    targets: list[int], samples: list[int], *, logq: float = 0.0, smoothing: bool = False
) -> tuple[Tensor, Columns]:
    """The item numbers of the distinct columns, and what the loss is told of them."""
    collector = SampledCandidates(SUPPORT, logq=logq, alpha=ALPHA, smoothing=smoothing, dtype=torch.float64)
    rows = step_of(collector, targets, samples)
    return rows.rows, rows.columns


def scores_of(n_rows: int, seed: int = 1) -> Tensor:
    """Scores of every item for some rows (rows, N)."""
    return (
        torch.randn(n_rows, len(SUPPORT), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        * 2
    )


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize(("loss", "explicit"), CASES.values(), ids=CASES)
def test_counted_columns_give_the_loss_of_explicit_columns(
    step: tuple[list[int], list[int]], loss: Loss, explicit: Explicit
) -> None:
    targets, samples = step
    every = scores_of(len(targets))
    items, columns = columns_of(targets, samples)
    expected = torch.stack([explicit(row[targets + samples], i) for i, row in enumerate(every)])
    torch.testing.assert_close(loss(every[:, items], columns), expected)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("logq", [0.0, LOGQ, 1.0])
def test_cross_entropy_corrects_targets_by_support_and_samples_by_support_to_alpha(
    step: tuple[list[int], list[int]], smoothing: float, logq: float
) -> None:
    targets, samples = step
    every = scores_of(len(targets))
    drawn = np.concatenate([SUPPORT[targets], SUPPORT[samples].astype(float) ** ALPHA])
    log_q = torch.from_numpy(logq * np.log(drawn))
    items, columns = columns_of(targets, samples, logq=logq, smoothing=True)
    expected = [
        oracle.cross_entropy(row[targets + samples], i, log_q, smoothing) for i, row in enumerate(every)
    ]
    torch.testing.assert_close(
        losses.cross_entropy(every[:, items], columns, smoothing), torch.stack(expected)
    )


ALL_LOSSES = {name: loss for name, (loss, _) in CASES.items()} | {
    "cross-entropy": partial(losses.cross_entropy),
    "smoothed": partial(losses.cross_entropy, smoothing=0.2),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("loss", ALL_LOSSES.values(), ids=ALL_LOSSES)
def test_gradients_agree_with_finite_differences(step: tuple[list[int], list[int]], loss: Loss) -> None:
    items, columns = columns_of(*step, logq=LOGQ)
    scores = scores_of(len(step[0]))[:, items].requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, columns), (scores,))


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("loss", ALL_LOSSES.values(), ids=ALL_LOSSES)
def test_closed_form_gradients_equal_automatic_ones(step: tuple[list[int], list[int]], loss: Loss) -> None:
    items, columns = columns_of(*step, logq=LOGQ)
    scores = scores_of(len(step[0]))[:, items]
    leaf = scores.clone().requires_grad_()
    rows = loss(leaf, columns)
    torch.autograd.backward(rows.sum())
    values, gradient = value_and_gradient(loss, scores.clone(), columns)
    torch.testing.assert_close(values, rows.detach())
    torch.testing.assert_close(gradient, leaf.grad)


@pytest.mark.kernels
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("name", ["bpr-max", "bpr-max-linear", "cross-entropy"])
@pytest.mark.parametrize("exclude_hits", [False, True])
def test_single_precision_gradients_are_those_of_the_formula_in_double(
    step: tuple[list[int], list[int]], name: str, exclude_hits: bool
) -> None:
    targets, samples = step
    collector = SampledCandidates(SUPPORT, logq=LOGQ, alpha=ALPHA, exclude_hits=exclude_hits)
    rows = step_of(collector, targets, samples)
    scores = scores_of(len(targets))[:, rows.rows]
    double = replace(
        rows.columns,
        counts=rows.columns.counts.double(),
        weights=rows.columns.weights.double(),
        target_log_q=rows.columns.target_log_q.double(),
        mean_log_q=rows.columns.mean_log_q.double(),
        own_counts=torch.ones(len(targets), dtype=torch.float64) if exclude_hits else None,
    )
    leaf = scores.clone().requires_grad_()
    expected = ALL_LOSSES[name](leaf, double)
    torch.autograd.backward(expected.sum(), inputs=[leaf])
    values, gradient = value_and_gradient(ALL_LOSSES[name], scores.float(), rows.columns)
    torch.testing.assert_close(values.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), leaf.grad, rtol=1e-4, atol=1e-6)


def test_large_scores_stay_finite_in_single_precision() -> None:
    items, columns = columns_of([0, 1], [2, 3, 3])
    single = replace(columns, counts=columns.counts.float(), weights=columns.weights.float())
    single = replace(single, target_log_q=columns.target_log_q.float(), mean_log_q=torch.zeros(1))
    scores = (scores_of(2)[:, items] * 200).float()
    for name in ("cross-entropy", "bpr-max", "top1-max"):
        values, gradient = value_and_gradient(ALL_LOSSES[name], scores.clone(), single)
        assert torch.isfinite(values).all(), name
        assert torch.isfinite(gradient).all(), name


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["kernels", "torch"])
@pytest.mark.parametrize("loss", ALL_LOSSES.values(), ids=ALL_LOSSES)
def test_the_rows_of_each_step_have_the_loss_of_that_step_alone(loss: Loss, dtype: torch.dtype) -> None:
    collector = SampledCandidates(SUPPORT, logq=LOGQ, alpha=ALPHA, smoothing=True, dtype=dtype)
    lanes, targets, samples = [3, 2], np.array([2, 5, 2, 0, 1]), np.array([[5, 6, 2]])
    (rows,) = collector.collect(targets[:, None], targets, samples, [lanes])
    every = scores_of(5).to(dtype)
    values, gradient = value_and_gradient(loss, every[:, rows.rows], rows.columns)
    for step, own in enumerate((slice(0, 3), slice(3, 5))):
        (alone,) = collector.collect(targets[own, None], targets[own], samples, [[lanes[step]]])
        expected = value_and_gradient(loss, every[own][:, alone.rows], alone.columns)
        places = [rows.rows.tolist().index(item) for item in alone.rows.tolist()]
        torch.testing.assert_close(values[own], expected[0])
        torch.testing.assert_close(gradient[own][:, places], expected[1])
        others = [place for place in range(len(rows.rows)) if place not in places]
        assert not gradient[own][:, others].any()


def test_excluded_hits_leave_only_the_targets_own_place() -> None:
    collector = SampledCandidates(SUPPORT, exclude_hits=True, dtype=torch.float64)
    rows = step_of(collector, [2, 5], [2, 2, 6])
    every = scores_of(2)
    log_q = torch.zeros(4, dtype=torch.float64)
    first = oracle.cross_entropy(every[0][[2, 5, 6]], 0, log_q[:3])
    second = oracle.cross_entropy(every[1][[5, 2, 2, 2, 6]], 0, torch.zeros(5, dtype=torch.float64))
    found = losses.cross_entropy(every[:, rows.rows], rows.columns)
    torch.testing.assert_close(found, torch.stack([first, second]))


def test_excluding_every_negative_leaves_a_zero_softmax() -> None:
    collector = SampledCandidates(SUPPORT, exclude_hits=True, dtype=torch.float64)
    rows = step_of(collector, [2], [2, 2])
    softmax = losses.softmax_over_negatives(scores_of(1)[:, rows.rows], rows.columns)
    assert softmax.tolist() == [[0.0]]


def test_the_full_softmax_is_cross_entropy_over_every_item() -> None:
    every = scores_of(2)
    rows = step_of(EveryItem(np.ones(len(SUPPORT), np.int64), dtype=torch.float64), [3, 3], [])
    expected = torch.nn.functional.cross_entropy(every, torch.tensor([3, 3]), reduction="none")
    torch.testing.assert_close(losses.cross_entropy(every[:, rows.rows], rows.columns), expected)
    assert rows.input_at.tolist() == rows.inputs.tolist() == [[3], [3]]


def test_gbce_beta_runs_from_plain_to_fully_calibrated() -> None:
    assert losses.gbce_beta(10, 101, 0.0) == pytest.approx(1.0)
    assert losses.gbce_beta(10, 101, 1.0) == pytest.approx(0.1)


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="bpr-max"):
        losses.require_loss("hinge")
