"""Picked rows, their scores, and the gradient of picked rows as automatic differentiation has it."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from recsys_gru.model.rows import RowGradient, score_rows, stretched, take_rows

TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["kernels", "torch"])


@pytest.mark.kernels
@TYPES
@pytest.mark.parametrize("width", [3, 16, 45])
def test_rows_are_taken_as_indexing_takes_them(dtype: torch.dtype, width: int) -> None:
    table = torch.arange(20 * width, dtype=dtype).view(20, width)
    picked = torch.from_numpy(np.random.default_rng(0).integers(0, 20, 31))
    assert torch.equal(take_rows(table, picked), table[picked])


@pytest.mark.kernels
@TYPES
@pytest.mark.parametrize("n_rows", [1, 8, 150])
def test_picked_rows_are_scored_with_their_biases(dtype: torch.dtype, n_rows: int) -> None:
    generator = np.random.default_rng(n_rows)
    whole = [torch.from_numpy(generator.integers(-5, 6, shape)) for shape in ((40, 21), (40, 1), (5, 21))]
    table, bias, x = (values.to(dtype) for values in whole)
    picked = torch.from_numpy(generator.integers(0, 40, n_rows))
    taken, scores = score_rows(table, bias, picked, x)
    assert torch.equal(taken, table[picked])
    assert torch.equal(scores, x @ table[picked].T + bias[picked, 0])


@pytest.mark.kernels
@TYPES
def test_rows_are_scored_at_the_length_they_are_stretched_to(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    table, bias, x = (
        torch.randn(*shape, dtype=dtype, generator=generator) for shape in ((9, 5), (9, 1), (3, 5))
    )
    picked = torch.tensor([3, 0, 8])
    taken, scores = score_rows(table, bias, picked, x, 4.0)
    torch.testing.assert_close(taken, 4 * normalize(table[picked], dim=1))
    torch.testing.assert_close(scores, x @ taken.T + bias[picked, 0])
    assert torch.equal(stretched(table, 0.0), table)


@TYPES
@pytest.mark.parametrize("length", [0.0, 5.0])
def test_the_gradient_of_picked_rows_is_that_of_the_table(dtype: torch.dtype, length: float) -> None:
    """Automatic differentiation of sum(scores * delta) + sum(parts * looked-up rows), with a row looked up
    twice."""
    generator = torch.Generator().manual_seed(1)
    picked, at = torch.tensor([4, 0, 7, 2, 5]), torch.tensor([1, 4, 1])
    delta, operand, parts = (torch.randn(3, n, dtype=dtype, generator=generator) for n in (4, 2, 2))
    table = torch.randn(8, 2, dtype=dtype, generator=generator).requires_grad_()
    bias = torch.zeros(4, dtype=dtype, requires_grad=True)
    rows = length * normalize(table[picked[:4]], dim=1) if length else table[picked[:4]]
    scores = operand @ rows.T + bias
    torch.autograd.backward((scores * delta).sum() + (table[picked][at] * parts).sum())
    gradient = RowGradient(delta, operand, picked, (at, parts), length)
    for found, factor in ((gradient, 1), (gradient.times(0.5), 0.5)):
        assert table.grad is not None
        assert bias.grad is not None
        torch.testing.assert_close(found.of_rows(table.detach()), table.grad[picked] * factor)
        torch.testing.assert_close(found.of_biases(), bias.grad * factor)
