"""The published losses and their gradients as compiled loops, against the formulas in double and autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.losses import NO_CLICKS, Again, bpr_max_rows, cross_entropy_rows, largest, weigh
from tests import oracle_gru4rec as oracle

pytestmark = pytest.mark.kernels
SHARE = np.float32(0.125)
SIZES = {
    "columns": st.integers(2, 40),
    "rows": st.integers(1, 40),
    "seed": st.integers(0, 2**32 - 1),
    "threads": st.integers(1, 2),
    "clicked": st.sampled_from([0, 1, 3]),
}


def step_of(columns: int, rows: int, seed: int) -> tuple[Floats, tuple[Items, Items], Floats]:
    """Scores (U, P), each row's target and step, and whole counts (3, U), which hold every target."""
    generator = np.random.default_rng(seed)
    scores = 2 * generator.standard_normal((columns, rows), np.float32)
    targets, steps = generator.integers(0, columns, rows), generator.integers(0, 3, rows)
    counts = generator.integers(0, 3, (3, columns)).astype(np.float32)
    counts[steps, targets] += 1
    counts[:, 0] += 1  # no step without a candidate
    counts[:, 1] += 1
    return scores, (targets, steps), counts


def clicks_of(clicked: int, columns: int, rows: int, seed: int) -> Again:
    """The columns (P, R) of each row's last clicks, no column twice, and whole counts of them."""
    if not clicked:
        return NO_CLICKS
    generator = np.random.default_rng((seed, clicked))
    picked = np.array([generator.permutation(max(columns, clicked))[:clicked] for _ in range(rows)])
    counts = generator.integers(1, 4, picked.shape).astype(np.float32)
    return np.where(picked < columns, picked, -1), counts


def with_clicks(drawn: Floats, again: Again) -> Floats:
    """How often each column counts in each row (P, U), where that is told for last clicks."""
    drawn = drawn.copy()
    for row, columns in enumerate(again[0]):
        for column, count in zip(columns, again[1][row], strict=True):
            if column >= 0:
                drawn[row, column] = count
    return drawn


def require_gradient(found: Floats, losses: Tensor, scores: Tensor) -> None:
    """What a kernel left in the scores' place is the gradient of `SHARE` times their losses' sum."""
    (gradient,) = torch.autograd.grad(losses.sum() * float(SHARE), scores)
    np.testing.assert_allclose(found, gradient.numpy(), rtol=1e-4, atol=1e-6)


@given(x=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=70))
def test_the_largest_of_a_row_is_found(x: list[float]) -> None:
    assert largest(np.array(x, dtype=np.float32)) == max(x)


@given(**SIZES)
def test_cross_entropy_is_that_of_its_formula(
    columns: int, rows: int, seed: int, threads: int, clicked: int
) -> None:
    scores, (targets, steps), counts = step_of(columns, rows, seed)
    again = clicks_of(clicked, columns, rows, seed)
    weights = counts * np.float32(0.3)
    leaf = torch.from_numpy(scores).double().requires_grad_()
    drawn = torch.from_numpy(with_clicks(weights[steps], again)).double()
    log_z = torch.logsumexp(leaf.T + drawn.log(), 1)
    own = leaf[targets, np.arange(rows)]
    found = cross_entropy_rows(scores, (targets, steps), weights, again, SHARE, threads)
    np.testing.assert_allclose(found[0], log_z.detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found[1], own.detach().numpy())
    require_gradient(scores, log_z - own, leaf)


@given(bend=st.sampled_from([0.0, 0.5]), bpreg=st.sampled_from([0.0, 1.3]), hits=st.booleans(), **SIZES)
def test_bpr_max_is_that_of_its_formula(
    columns: int, rows: int, seed: int, threads: int, clicked: int, bend: float, bpreg: float, hits: bool
) -> None:
    scores, (targets, steps), counts = step_of(columns, rows, seed)
    again = clicks_of(clicked, columns, rows, seed)
    drawn = with_clicks(counts[steps], again)
    own = counts[steps, targets] if hits else np.ones(rows, np.float32)
    leaf = torch.from_numpy(scores).double().requires_grad_()
    losses = []
    for row, target in enumerate(targets):
        often = drawn[row].astype(np.int64)
        often[target] = own[row]
        explicit = np.repeat(np.arange(columns), often)  # each column as often as it counts
        place = int(np.flatnonzero(explicit == target)[0])
        losses.append(oracle.bpr_max(leaf[explicit, row], place, bpreg, bend))
    options = np.float32(bpreg), np.float32(bend), np.float32(1e-24), SHARE
    found = bpr_max_rows(scores, (targets, steps), counts, own, again, options, threads)
    expected = torch.stack(losses)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-5)
    require_gradient(scores, expected, leaf)


def test_columns_are_multiplied_by_what_targets_count() -> None:
    scores = np.random.default_rng(1).standard_normal((7, 5), np.float32)
    worth = np.array([0, 1, 2.5, 1, 3], np.float32)
    expected = scores * worth
    weigh(scores, worth)
    np.testing.assert_array_equal(scores, expected)
