"""Learning with the labels of moments: both learners to the bit, and exact gradients."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recsys_gru.training import Learner, Settings, TrainingData
from tests.training.test_facts import N_LABELS, facts
from tests.training.test_learner import (
    N_ITEMS,
    N_LANES,
    SETTINGS,
    learn,
    log,
    require_gradients,
    train_alike,
    windows_of,
)

N_MOMENTS = 5


def told() -> TrainingData:
    """The log, with two labels for most events, which count from 0 to 3 as targets."""
    data = log()[0]
    rng = np.random.default_rng(5)
    labels = rng.integers(-1, N_MOMENTS, (len(data.items), 2))
    return replace(data, moment=labels, worth=rng.integers(0, 4, len(labels)).astype(np.float32))


def learner_of(settings: Settings, known: bool = False) -> Learner:
    support = np.maximum(np.bincount(log()[0].items, minlength=N_ITEMS), 1)
    given = (facts(), N_LABELS) if known else None
    learner = settings.learner(support, N_LANES, torch.device("cpu"), None, given, N_MOMENTS)
    generator = torch.Generator().manual_seed(7)
    for values in (*learner.network.added.values(), *learner.network.moment.values()):
        values.uniform_(-0.3, 0.3, generator=generator)
    return learner


@pytest.mark.kernels
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"loss": "bpr-max", "momentum": 0.3, "dropout_p_embed": 0.4, "dropout_p_hidden": 0.2},
        {"look_back": 2, "scale": 8.0, "steps_per_update": 3, "layers": (17,)},
    ],
    ids=str,
)
@pytest.mark.parametrize("known", [False, True])
def test_the_compiled_loop_is_the_separate_calls_to_the_bit(given: dict[str, Any], known: bool) -> None:
    settings = replace(SETTINGS, **given)
    compiled, plain = learner_of(settings, known), learner_of(settings, known)
    before = compiled.network.moment["labels"].clone()
    train_alike(compiled, plain, settings, told())
    assert (compiled.network.moment["labels"] != before).all()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"scale": 4.0, "look_back": 3, "loss": "bpr-max"},
        {"scale": 4.0, "constrained_embedding": False, "cell": "lstm"},
        {"look_back": 3, "loss": "softmax", "layers": (5, 6), "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_gradients_of_a_window_are_those_of_its_loss(given: dict[str, Any]) -> None:
    """A plain SGD step moves each parameter by -lr times its gradient: the loss falls by what that says, and
    by what the labels' rows say alone."""
    settings = replace(SETTINGS, steps_per_update=3, optimizer="sgd", learning_rate=5e-4, logq=0.0, **given)
    window = windows_of(settings)[0]
    for only in ("", "moment."):
        require_gradients(
            lambda: learner_of(settings),
            lambda learner: learn(learner, window, told()),
            settings.learning_rate,
            only,
        )
