"""The repeat head in training, against automatic differentiation of its formula over explicit draws."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_gru.kernels.arrays import each_once
from recsys_gru.model.network import Network
from recsys_gru.training import Learner, Settings
from recsys_gru.training.lanes import Window
from tests.training.test_learner import N_ITEMS, N_LANES, learner_of, log, windows_of

SETTINGS = Settings(
    layers=(5,),
    batch_size=N_LANES,
    n_sample=6,
    learning_rate=0.1,
    optimizer="sgd",
    steps_per_update=2,
    repeats=2,
    look_back=3,
    logq=1.0,
)


def in_double(network: Network) -> Network:
    """The same network, to be differentiated."""
    twin = Network(network.architecture, generator=torch.Generator(), dtype=torch.float64)
    for (_, values), (_, own) in zip(network.parameters(), twin.parameters(), strict=True):
        own.copy_(values).requires_grad_()
    return twin


def slow_loss(
    settings: Settings, network: Network, learner: Learner, window: Window, drawn: Tensor
) -> Tensor:
    """Cross-entropy of a window: every draw is a term of its own, but for the row's last clicks."""
    data, support = log()[0], np.maximum(np.bincount(log()[0].items, minlength=N_ITEMS), 1)
    ((_, flow),) = learner.plan(data, [window])
    recent = torch.from_numpy(data.recent(window.at, 3))
    targets = torch.from_numpy(data.items[window.at + 1].astype(np.int64))
    states = network.zero_states(len(window.fresh))
    hidden, _, _ = network.forward(network.input_rows(recent[:, 0].contiguous()), flow, states)
    asking = network.asking(network.read_out(hidden, recent))
    scores = asking @ network.scored_by().T + network.tables["bias"][:, 0]
    step = np.repeat(np.arange(len(window.alive)), window.alive)
    samples, others = support**settings.sample_alpha, settings.batch_size - 1
    total = scores.new_zeros(())
    for row, clicked in enumerate(each_once(recent[:, : settings.repeats].numpy())):
        raised, own = scores[row].clone(), int(targets[row])
        weights = np.zeros(N_ITEMS)
        for item in targets[step == step[row]].tolist():
            weights[item] += support[item] ** -settings.logq
        for item in drawn.tolist():
            weights[item] += samples[item] ** -settings.logq
        for d, item in enumerate(clicked):
            if item >= 0:
                row_says = raised[item] if item == own else raised[item].detach()
                raised[item] = row_says + network.readout["repeats"][0, d]
                chances = samples[item] / samples.sum(), support[item] / support.sum()
                weights[item] = settings.n_sample * chances[0] * samples[item] ** -settings.logq
                weights[item] += others * chances[1] * support[item] ** -settings.logq
        log_q = settings.logq * np.log(support[own])
        total = total + torch.logsumexp(raised + torch.from_numpy(weights).log(), 0) - raised[own] + log_q
    return total / (settings.batch_size * len(window.alive))


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"scale": 6.0, "logq": 0.0},
        {"constrained_embedding": False, "embedding": 5, "cell": "lstm", "logq": 0.5},
        {"constrained_embedding": False, "look_back": 0},
    ],
    ids=str,
)
def test_an_update_goes_down_the_gradient_of_the_formula(own: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **own)
    learner, window = learner_of(settings), windows_of(settings)[0]
    learner.network.readout["repeats"].copy_(torch.tensor([[-1.0, 0.7]]))
    learner.begin_epoch(len(window.fresh))
    drawn = torch.from_numpy(learner_of(settings).sampler.draw(1)[0])
    twin = in_double(learner.network)
    loss = slow_loss(settings, twin, learner_of(settings), window, drawn)
    loss.backward()  # type: ignore[no-untyped-call]
    before = {name: values.clone() for name, values in learner.network.parameters()}
    ((rows, flow),) = learner.plan(log()[0], [window])
    assert learner.update(rows, flow) == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, values in twin.parameters():
        moved = (before[name] - dict(learner.network.parameters())[name]) / settings.learning_rate
        expected = torch.zeros_like(values) if values.grad is None else values.grad
        torch.testing.assert_close(moved.double(), expected, rtol=1e-3, atol=2e-5, msg=name)
