"""Gradients through facts: torch's way, which other devices take, against the compiled one."""

import numpy as np
import pytest
import torch

from recsys_gru.model.architecture import Architecture, InputMode
from recsys_gru.model.candidates import SampledCandidates
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.near import near, through_facts
from recsys_gru.model.network import Network
from recsys_gru.model.rows import RowGradient
from tests.kernels.test_facts import LABELS, N, facts_of

FOUND = ("facts.output.labels", "facts.output.projection", "output", "bias")


def gradients(mode: InputMode, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Of a window of two lanes: each parameter's gradient, rows that it does not touch as zeros."""
    network = Network(Architecture(N, (5,), mode, 5), generator=torch.Generator().manual_seed(1), dtype=dtype)
    network.know(facts_of(2), LABELS)
    candidates = SampledCandidates(np.ones(N, np.int64), tied=mode == "tied", dtype=dtype)
    inputs, targets, samples = np.array([[0], [6]]), np.array([1, 2]), np.array([[2, 4, 4]])
    (rows,) = candidates.collect(inputs, targets, samples, [[2]])
    window = near(network, rows, Dropout(0.5, np.random.default_rng(3)))
    generator = torch.Generator().manual_seed(2)
    delta, asking, added = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)
        for shape in ((2, rows.n_candidates), (2, 5), (2, 5))
    )
    inside = None if mode != "tied" else (rows.input_at.flatten(), added)
    given = RowGradient(delta, asking, window.rows.rows, inside)
    found = {}
    assert network.facts is not None
    for name, bias, gradient in through_facts(network, network.facts, window, [("output", "bias", given)]):
        parameter = dict(network.parameters())[name]
        assert bias is None
        whole = torch.zeros_like(parameter)
        whole[slice(None) if gradient.rows is None else gradient.rows] = gradient.of_rows(parameter)
        found[name] = whole
    return found


@pytest.mark.parametrize("mode", ["tied", "separate"])
def test_both_ways_find_the_same_gradients(mode: InputMode) -> None:
    found, expected = gradients(mode, torch.float32), gradients(mode, torch.float64)
    assert set(found) == set(expected) == set(FOUND)
    for name in FOUND:
        assert expected[name].any()
        torch.testing.assert_close(found[name].double(), expected[name], rtol=1e-4, atol=1e-5)


def test_a_network_elsewhere_has_the_rows_of_one_here() -> None:
    here, there = (
        Network(Architecture(N, (5,)), generator=torch.Generator().manual_seed(1), dtype=dtype)
        for dtype in (torch.float32, torch.float64)
    )
    for network in (here, there):
        network.know(facts_of(2), LABELS)
        for values in network.added.values():
            values.copy_(torch.linspace(-1, 1, values.numel()).view(values.shape))
        network.tables["output"].copy_(torch.linspace(-1, 1, 5 * N).view(N, 5))
    torch.testing.assert_close(here.rows("output").double(), there.rows("output"), rtol=1e-5, atol=1e-5)
