"""Update rules on touched rows against the same rules written for one number at a time."""

import math

import pytest
import torch
from torch import Tensor

from recsys_gru.errors import ParameterError
from recsys_gru.model.optimisers import OPTIMISERS, make_optimiser
from recsys_gru.model.rows import RowGradient
from tests.threads import torch_threads

ROWS = torch.tensor([4, 1])


def gradient_of(step: int, shape: tuple[int, ...]) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(step))


def adagrad_by_hand(w: float, gradients: list[float], rate: float, momentum: float) -> float:
    acc = v = 0.0
    for g in gradients:
        acc += g * g
        v = momentum * v - rate * g / math.sqrt(acc + 1e-6)
        w += v
    return w


@pytest.mark.kernels
@pytest.mark.parametrize("momentum", [0.0, 0.4])
@pytest.mark.parametrize("weight_decay", [0.0, 1e-300])  # the second takes the path of gathered rows
def test_adagrad_starts_at_zero_has_epsilon_inside_the_root_and_moves_only_touched_rows(
    momentum: float, weight_decay: float
) -> None:
    table = gradient_of(0, (6, 2))
    start = table.clone()
    optimiser = make_optimiser("adagrad", 0.1, momentum, weight_decay)
    optimiser.register("table", table)
    steps = [gradient_of(1, (2, 2)), gradient_of(2, (2, 2)), torch.zeros(2, 2, dtype=torch.float64)]
    for gradient in steps:
        optimiser.update("table", gradient, ROWS)
    for place, row in enumerate(ROWS.tolist()):
        for column in range(2):
            gradients = [float(gradient[place, column]) for gradient in steps]
            expected = adagrad_by_hand(float(start[row, column]), gradients, 0.1, momentum)
            assert float(table[row, column]) == pytest.approx(expected, rel=1e-12)
    untouched = [0, 2, 3, 5]
    assert torch.equal(table[untouched], start[untouched])


@pytest.mark.kernels
@pytest.mark.parametrize("momentum", [0.0, 0.4])
@pytest.mark.parametrize("picked", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_fused_pass_is_the_formula_on_rows_biases_and_inputs(
    momentum: float, picked: bool, threads: int
) -> None:
    """Single precision against double, which takes torch's path: 90 rows, of which 85 are candidates."""
    generator = torch.Generator().manual_seed(3)
    table, bias = (torch.randn(n, generator=generator) for n in ((120, 37), (120, 1)))
    rows = torch.randperm(120, generator=generator)[:90]
    single, double = (make_optimiser("adagrad", 0.1, momentum, 0.0) for _ in range(2))
    tables = {"table": table, "bias": bias if picked else bias[:, 0].contiguous()}
    doubles = {name: values.double() for name, values in tables.items()}
    for optimiser, parameters in ((single, tables), (double, doubles)):
        for name, values in parameters.items():
            optimiser.register(name, values)
    with torch_threads(threads):
        for _ in range(3):
            delta = torch.randn(11, 85 if picked else 120, generator=generator)
            operand, parts = (torch.randn(11, 37, generator=generator) for _ in range(2))
            at = torch.randint(0, 90, (11,), generator=generator)
            given = RowGradient(delta, operand, rows, (at, parts)) if picked else RowGradient(delta, operand)
            same = RowGradient(
                delta.double(), operand.double(), given.rows, given.inputs and (at, parts.double())
            )
            single.apply("table", "bias", given)
            double.apply("table", "bias", same)
    for name, values in tables.items():
        torch.testing.assert_close(values.double(), doubles[name], rtol=1e-4, atol=1e-5)


@pytest.mark.kernels
@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("momentum", [0.0, 0.3])
def test_a_dense_update_is_an_update_of_every_row(name: str, momentum: float) -> None:
    dense, rowwise = gradient_of(0, (5, 3)), gradient_of(0, (5, 3))
    optimiser = make_optimiser(name, 0.05, momentum, 0.01)
    optimiser.register("dense", dense)
    optimiser.register("rowwise", rowwise)
    for step in range(1, 4):
        optimiser.update("dense", gradient_of(step, (5, 3)))
        optimiser.update("rowwise", gradient_of(step, (5, 3)), torch.arange(5))
    torch.testing.assert_close(dense, rowwise)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_dense_rules_equal_torchs(name: str) -> None:
    ours, theirs = gradient_of(0, (4, 3)), gradient_of(0, (4, 3)).requires_grad_()
    optimiser = make_optimiser(name, 0.01, 0.0, 0.0)
    optimiser.register("p", ours)
    peers: dict[str, torch.optim.Optimizer] = {
        "adam": torch.optim.Adam([theirs], lr=0.01),
        "sgd": torch.optim.SGD([theirs], lr=0.01),
        "rmsprop": torch.optim.RMSprop([theirs], lr=0.01, alpha=0.9, eps=0.0),
    }
    peer = peers[name]
    for step in range(1, 6):
        gradient = gradient_of(step, (4, 3))
        optimiser.update("p", gradient)
        theirs.grad = gradient.clone()
        peer.step()
    torch.testing.assert_close(
        ours, theirs.detach(), rtol=1e-3, atol=1e-6
    )  # RMSprop: torch adds epsilon outside the root


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="adagrad, adam, rmsprop, sgd"):
        make_optimiser("lion", 0.1, 0.0, 0.0)
