"""Each cell's written-out backward pass against automatic differentiation, and its forward pass against
torch's."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from recsys_gru.model.cells import CELLS, GRU, LSTM, RNN, Cell

LANES, UNITS = 3, 4


def weights_of(cell: Cell) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    made = {}
    for name, gates in cell.matrices.items():
        made[name] = torch.randn(gates * cell.units, cell.units, dtype=torch.float64, generator=generator)
        made[f"{name}_bias"] = torch.randn(gates * cell.units, dtype=torch.float64, generator=generator)
    return made


def inputs_of(cell: Cell, lanes: int = LANES) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    gx = torch.randn(lanes, cell.gates * cell.units, dtype=torch.float64, generator=generator)
    state = torch.randn(lanes, cell.states * cell.units, dtype=torch.float64, generator=generator)
    return gx, state


@pytest.mark.parametrize("kind", CELLS.values(), ids=CELLS)
def test_backward_equals_automatic_differentiation(kind: type[Cell]) -> None:
    cell = kind(UNITS)
    weights, (gx, state) = weights_of(cell), inputs_of(cell)
    leaves = {name: values.clone().requires_grad_() for name, values in weights.items()}
    gx_leaf, state_leaf = gx.clone().requires_grad_(), state.clone().requires_grad_()
    after, _ = cell.forward(leaves, gx_leaf, state_leaf)
    d_after = torch.linspace(-1, 1, after.numel(), dtype=torch.float64).view_as(after)
    torch.autograd.backward(after, d_after)

    _, tape = cell.forward(weights, gx, state)
    d_gx, round_it, products = cell.backward(weights, d_after, tape)
    d_state = cell.d_former(weights, round_it, products)
    torch.testing.assert_close(d_gx, gx_leaf.grad)
    torch.testing.assert_close(d_state, state_leaf.grad)
    for name, (delta, operand) in products.items():
        torch.testing.assert_close(delta.T @ operand, leaves[name].grad)
        torch.testing.assert_close(delta.sum(0), leaves[f"{name}_bias"].grad)


@pytest.mark.kernels
@pytest.mark.parametrize("kind", CELLS.values(), ids=CELLS)
def test_no_lane_changes_a_bit_of_another(kind: type[Cell]) -> None:
    cell = kind(12)
    weights = {name: values.float() for name, values in weights_of(cell).items()}
    gx, state = (values.float() for values in inputs_of(cell, 100))
    together, _ = cell.forward(weights, gx, state)
    for lane in range(100):
        one = slice(lane, lane + 1)
        alone, _ = cell.forward(weights, gx[one].clone(), state[one].clone())
        assert torch.equal(alone, together[one])


@pytest.mark.parametrize(
    ("kind", "peer"), [(GRU, torch.nn.GRUCell), (LSTM, torch.nn.LSTMCell), (RNN, torch.nn.RNNCell)]
)
def test_forward_equals_torchs_cell(kind: type[Cell], peer: Callable[..., torch.nn.RNNCellBase]) -> None:
    cell = kind(UNITS)
    weights, (_, state) = weights_of(cell), inputs_of(cell)
    theirs = peer(2, UNITS, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight_hh.copy_(weights["recurrent"])
        theirs.bias_hh.copy_(weights["recurrent_bias"])
        x = torch.randn(LANES, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
        gx = x @ theirs.weight_ih.T + theirs.bias_ih
        given = tuple(state.chunk(2, 1)) if kind is LSTM else state
        expected = theirs(x, given)
    after, _ = cell.forward(weights, gx, state)
    torch.testing.assert_close(after, torch.cat(expected, 1) if kind is LSTM else expected)


@pytest.mark.kernels
def test_the_fused_passes_of_the_gru_are_its_formulas() -> None:
    cell = GRU(UNITS)
    weights = weights_of(cell)
    gx, state = (values * 2 for values in inputs_of(cell))
    d_after = torch.linspace(-1, 1, state.numel(), dtype=torch.float64).view_as(state)
    found: list[Tensor] = []
    expected: list[Tensor] = []
    for dtype, results in (
        (torch.float32, found),
        (torch.float64, expected),
    ):  # the kernels serve single precision
        cast = {name: values.to(dtype) for name, values in weights.items()}
        after, tape = cell.forward(cast, gx.to(dtype), state.to(dtype))
        d_gx, round_it, products = cell.backward(cast, d_after.to(dtype), tape)
        results.extend([after, *tape, d_gx, round_it, *products["recurrent"]])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-6)
