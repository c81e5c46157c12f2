"""The gradient of picked rows, tile by tile, is that of the whole table."""

import numpy as np
import pytest
import torch

from recsys_gru.model import rows
from recsys_gru.model.rows import RowGradient, take_rows


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["kernels", "torch"])
def test_rows_are_taken_as_indexing_takes_them(dtype: torch.dtype) -> None:
    table = torch.arange(60, dtype=dtype).view(20, 3)
    picked = torch.from_numpy(np.random.default_rng(0).integers(0, 20, 31))
    assert torch.equal(take_rows(table, picked), table[picked])


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["kernels", "torch"])
@pytest.mark.parametrize("tile", [1, 7, 1000])
def test_tiles_add_up_to_the_gradient_of_the_table(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, tile: int
) -> None:
    """Automatic differentiation of sum(scores * delta) + sum(parts * looked-up rows), with a row looked up
    twice."""
    monkeypatch.setattr(rows, "TILE", tile)
    generator = torch.Generator().manual_seed(1)
    picked, at = torch.tensor([4, 0, 7, 2, 5]), torch.tensor([1, 4, 1])
    delta, operand, parts = (torch.randn(3, n, dtype=dtype, generator=generator) for n in (4, 2, 2))
    table = torch.zeros(8, 2, dtype=dtype, requires_grad=True)
    torch.autograd.backward(
        ((operand @ table[picked[:4]].T) * delta).sum() + (table[picked][at] * parts).sum()
    )
    found = torch.zeros_like(table)
    for touched, gradient in RowGradient(picked, delta, operand, (at, parts)).tiles():
        found[touched] += gradient
    torch.testing.assert_close(found, table.grad)
