"""A window's walk in one compiled loop, against the network's."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from recsys_gru.kernels.plans import window_of
from recsys_gru.kernels.walk import backward, forward
from recsys_gru.training.compiled import CompiledLearner
from tests.training.test_learner import SETTINGS, learner_of, log, windows_of

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("steps", [1, 3])
def test_a_walk_and_the_way_back_are_the_networks(steps: int) -> None:
    settings = replace(SETTINGS, steps_per_update=steps)
    learner, windows = cast("CompiledLearner", learner_of(settings)), windows_of(settings)[:1]
    network = learner.network
    plan, sizes = learner._plan(log()[0], windows)
    window = window_of(plan, sizes, 0, np.zeros(5, np.int64), 0)
    state, nothing = learner.states[0], np.empty((0, 6), np.float32)
    trained, recipe = learner._trained(), learner._recipe()
    tape, after = forward(trained, window, recipe, state.numpy(), nothing)
    flow = learner._flow(windows[0])
    rows = network.input_rows(torch.from_numpy(window.inputs[:, 0].copy()))
    hidden, states, records = network.forward(rows, flow, [state])
    assert np.array_equal(tape.hidden, hidden.numpy())
    assert np.array_equal(after, states[0].numpy())
    slope = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(1))
    expected, (gradients,) = network.backward(slope, flow, records)
    d_x, d_gx, d_gh = backward(trained, window, recipe, slope.numpy().copy(), tape)
    assert np.array_equal(d_x, expected.numpy())
    assert np.array_equal(d_gx, gradients["input"].delta.numpy())
    assert np.array_equal(d_gh, gradients["recurrent"].delta.numpy())
