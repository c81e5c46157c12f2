"""The network: initial weights, windows against single steps, gradients through windows, dropout."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_gru.model.architecture import Architecture, InputMode
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.network import Network
from recsys_gru.model.walk import Flow

TIED = Architecture(11, (5,))
SHAPES = [
    TIED,
    Architecture(11, (6, 4), "tied"),
    Architecture(11, (4, 6), "separate", 3),
    Architecture(11, (4, 6), "one-hot"),
    Architecture(11, (4, 3), "separate", 5, cell="lstm"),
    Architecture(11, (4, 3), "one-hot", cell="rnn"),
    Architecture(11, (4,), "one-hot", cell="lstm"),
    Architecture(11, (4, 3), "tied", cell="gru-reset-before"),
]
# three lanes, one begins anew, then one is removed and the others move up
FLOW = Flow(
    [3, 3, 2],
    torch.tensor([1, 1, 1, 1, 0, 1, 1, 1.0], dtype=torch.float64)[:, None],
    torch.tensor([0, 1, 2, 0, 1, 2, 0, 2]),
)


def network_of(architecture: Architecture) -> Network:
    return Network(architecture, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def rows_of(network: Network) -> Tensor:
    return network.input_rows(torch.tensor([0, 1, 2, 3, 4, 5, 6, 7]))


@pytest.mark.parametrize("architecture", SHAPES, ids=str)
def test_gradients_through_a_window_equal_automatic_ones(architecture: Architecture) -> None:
    network = network_of(architecture)
    rows = rows_of(network)
    states = [torch.full_like(state, 0.3) for state in network.zero_states(3)]
    d_out = torch.linspace(-1, 1, 8 * architecture.layers[-1], dtype=torch.float64).view(8, -1)

    _, _, tape = network.forward(rows, FLOW, states)
    d_rows, gradients = network.backward(d_out, FLOW, tape)

    leaf = rows.clone().requires_grad_()
    for weights in network.layers:
        for values in weights.values():
            values.requires_grad_()
    outputs, _, _ = network.forward(leaf, FLOW, states)
    torch.autograd.backward(outputs, d_out)
    torch.testing.assert_close(d_rows, leaf.grad)
    for weights, gradient in zip(network.layers, gradients, strict=True):
        assert set(gradient) == {name for name in weights if not name.endswith("_bias")}
        for name, part in gradient.items():
            torch.testing.assert_close(part.of_rows(weights[name]), weights[name].grad)
            if f"{name}_bias" in weights:
                torch.testing.assert_close(part.of_biases(), weights[f"{name}_bias"].grad)


@pytest.mark.parametrize("architecture", SHAPES, ids=str)
def test_a_window_gives_what_its_steps_give_one_by_one(architecture: Architecture) -> None:
    network = network_of(architecture)
    rows = rows_of(network)
    together, _, _ = network.forward(rows, FLOW, network.zero_states(3))
    states, apart = network.zero_states(3), []
    for begin, end in FLOW.spans():
        step = Flow([end - begin], FLOW.keep[begin:end], FLOW.source[begin:end])
        out, states, _ = network.forward(rows[begin:end], step, states)
        apart.append(out)
    torch.testing.assert_close(together, torch.cat(apart))


@pytest.mark.kernels
@pytest.mark.parametrize("architecture", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["kernels", "torch"])
def test_whole_sessions_run_as_their_windows_do(architecture: Architecture, dtype: torch.dtype) -> None:
    network = Network(architecture, generator=torch.Generator().manual_seed(7), dtype=dtype)
    rows, alive = rows_of(network), [4, 3, 1]  # the first lanes go on
    flow = Flow(alive, torch.ones(8, 1, dtype=dtype), torch.tensor([0, 1, 2, 3, 0, 1, 2, 0]))
    stepped, _, _ = network.forward(rows, flow, network.zero_states(4))
    together, states = network.run(rows, alive)
    torch.testing.assert_close(together, stepped)
    later, after = network.run(rows[4:], [3, 1], [layer[:3] for layer in states])
    found, expected = [later, *after], [together[4:], *(layer[4:] for layer in states)]
    if dtype == torch.float32:
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(found, expected)


def test_a_fresh_lane_forgets_and_a_survivor_remembers() -> None:
    network = network_of(TIED)
    rows = rows_of(network)
    out, _, _ = network.forward(rows, FLOW, [torch.full_like(state, 0.3) for state in network.zero_states(3)])
    alone = Flow([1], torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.int64))
    fresh, _, _ = network.forward(rows[4:5], alone, network.zero_states(1))
    torch.testing.assert_close(out[4:5], fresh)  # lane 1 began a session in the second step
    survivor, _, _ = network.forward(rows[7:8], alone, [out[5:6]])
    torch.testing.assert_close(out[7:8], survivor)  # lane 2 moved up to be lane 1


@pytest.mark.parametrize("mode", ["tied", "separate", "one-hot"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_weights_start_uniform_within_the_bound_of_each_gate(mode: InputMode, cell: str) -> None:
    architecture = Architecture(300, (40, 30), mode, 20, cell)
    network = Network(architecture, generator=torch.Generator().manual_seed(1))
    fans = {"output": (300, 30), "input": (300, 20 if mode == "separate" else 40)}
    for name, (rows, columns) in fans.items():
        if name in network.tables:
            _assert_uniform(network.tables[name], math.sqrt(6 / (rows + columns)))
    for weights, units, width in zip(network.layers, (40, 30), architecture.input_widths(), strict=True):
        _assert_uniform(weights["recurrent"], math.sqrt(6 / (2 * units)))
        if width:
            _assert_uniform(weights["input"], math.sqrt(6 / (units + width)))
    forgets = network.layers[0]["recurrent_bias"].sum()
    assert forgets == (40 if cell == "lstm" else 0)
    assert network.tables["bias"].abs().sum() == 0


def _assert_uniform(values: Tensor, bound: float) -> None:
    assert values.abs().max() <= bound
    assert values.abs().max() > 0.98 * bound
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_two_networks_of_one_seed_are_equal_and_the_global_generator_is_untouched() -> None:
    before = torch.random.get_rng_state()
    first, second = network_of(TIED), network_of(TIED)
    assert torch.equal(first.tables["output"], second.tables["output"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_dropout_drops_with_p_scales_the_rest_and_carries_the_dropped_state() -> None:
    network = network_of(replace(TIED, layers=(400,)))
    dropout = Dropout(0.25, np.random.default_rng(2))
    plain, _, _ = network.forward(
        rows_of(network)[:3], Flow([3], FLOW.keep[:3], FLOW.source[:3]), network.zero_states(3)
    )
    dropped, (state,), _ = network.forward(
        rows_of(network)[:3], Flow([3], FLOW.keep[:3], FLOW.source[:3]), network.zero_states(3), dropout
    )
    share = float((dropped == 0).double().mean())
    assert share == pytest.approx(0.25, abs=0.04)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], plain[kept] / 0.75)
    assert torch.equal(state, dropped)


@pytest.mark.parametrize("architecture", SHAPES, ids=str)
def test_gradients_flow_through_the_dropout_that_was_drawn(architecture: Architecture) -> None:
    network = network_of(architecture)
    leaf = rows_of(network).clone().requires_grad_()
    d_out = torch.ones(8, architecture.layers[-1], dtype=torch.float64)
    outputs, _, _ = network.forward(
        leaf, FLOW, network.zero_states(3), Dropout(0.4, np.random.default_rng(3))
    )
    torch.autograd.backward(outputs, d_out)
    _, _, tape = network.forward(
        rows_of(network), FLOW, network.zero_states(3), Dropout(0.4, np.random.default_rng(3))
    )
    d_rows, _ = network.backward(d_out, FLOW, tape)
    torch.testing.assert_close(d_rows, leaf.grad)


def test_no_dropout_draws_nothing() -> None:
    generator = np.random.default_rng(3)
    before = generator.bit_generator.state
    assert Dropout(0.0, generator).mask(torch.ones(2)) is None
    assert before == generator.bit_generator.state
