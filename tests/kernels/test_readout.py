"""Rows of the last clicks in what items are scored for, against NumPy and automatic differentiation."""

import numpy as np
import pytest
import torch

from recsys_gru.kernels.readout import look_back, looked_back, recent

pytestmark = pytest.mark.kernels
RECENT = np.array([[3, 1, 3], [0, -1, -1], [2, 2, -1]])


def test_recent_clicks_are_those_of_a_list_turned_round() -> None:
    offsets, items = np.array([0, 1, 1, 6, 9]), np.arange(20, 29, dtype=np.int32)
    for count in (0, 1, 3, 7):
        found = recent(items, offsets, np.arange(9), count)
        for at, row in enumerate(found.tolist()):
            begin = max(offset for offset in offsets.tolist() if offset <= at)
            clicks = items[begin : at + 1][::-1].tolist()
            assert row == (clicks + [-1] * count)[:count]


def drawn(width: int) -> list[torch.Tensor]:
    """Table, weights, hidden states and gradients of what comes out."""
    generator = torch.Generator().manual_seed(width)
    return [torch.randn(*shape, generator=generator) for shape in ((4, width), (3,), (3, width), (3, width))]


@pytest.mark.parametrize("width", [1, 16, 21])
def test_the_rows_of_the_last_clicks_are_added_with_their_weights(width: int) -> None:
    table, weights, hidden, _ = (values.numpy() for values in drawn(width))
    expected = hidden.astype(np.float64)
    for q, items in enumerate(RECENT.tolist()):
        for d, item in enumerate(items):
            expected[q] += weights[d] * table[item] if item >= 0 else 0
    out = hidden.copy()
    look_back(table, RECENT, weights, out)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [1, 16, 21])
def test_gradients_are_automatic_ones(width: int) -> None:
    table, weights, _, gradient = drawn(width)
    rows = table[torch.from_numpy(RECENT.clip(0))].double().requires_grad_()
    leaf = weights.double().requires_grad_()
    there = torch.from_numpy(RECENT >= 0)
    added = (leaf * there)[..., None] * rows
    torch.autograd.backward((added.sum(1) * gradient).sum())
    of_weights, of_rows = np.empty(3, np.float32), np.full((9, width), np.nan, np.float32)
    looked_back(gradient.numpy(), table.numpy(), RECENT, weights.numpy(), (of_weights, of_rows))
    assert leaf.grad is not None
    assert rows.grad is not None
    np.testing.assert_allclose(of_weights, leaf.grad, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_rows, rows.grad.view(9, width), rtol=1e-5, atol=1e-6)
