"""Learning with facts in the items' rows: both learners to the bit, and exact gradients."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recsys_gru.model.facts import Facts
from recsys_gru.training import Learner, Position, Settings, train_epoch
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

N_LABELS = 6


def facts(numbers: int = 2) -> Facts:
    """Two labels or three for each item but the first, which has nothing."""
    rng = np.random.default_rng(3)
    counts = np.concatenate([[0], rng.integers(2, 4, N_ITEMS - 1)])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    labels = rng.integers(0, N_LABELS, offsets[-1]).astype(np.int32)
    weights = rng.uniform(0.5, 1, offsets[-1]).astype(np.float32)
    return Facts(offsets, labels, weights, rng.normal(size=(N_ITEMS, numbers)).astype(np.float32))


def learner_of(settings: Settings, known: Facts | None = None) -> Learner:
    support = np.bincount(log()[0].items, minlength=N_ITEMS)
    given = known or facts()
    learner = settings.learner(support, N_LANES, torch.device("cpu"), known=(given, N_LABELS))
    generator = torch.Generator().manual_seed(7)
    for values in learner.network.added.values():
        values.uniform_(-0.3, 0.3, generator=generator)
    return learner


PUBLISHED: dict[str, dict[str, Any]] = {
    "cross-entropy": {},
    "bpr-max": {"loss": "bpr-max", "momentum": 0.3, "dropout_p_embed": 0.4, "dropout_p_hidden": 0.2},
    "several steps": {"steps_per_update": 3, "lr_schedule": "linear"},
    "last clicks and cosine": {"look_back": 2, "scale": 8.0, "steps_per_update": 3, "dropout_p_embed": 0.3},
    "odd sizes": {"layers": (17,), "batch_size": 3, "dropout_p_embed": 0.2},
    "wide": {"layers": (70,), "n_sample": 60},
    "own rows dropped": {"dropout_p_own": 0.4, "momentum": 0.2},
    "all dropped": {"dropout_p_own": 0.5, "dropout_p_embed": 0.2, "dropout_p_hidden": 0.3, "scale": 4.0},
}


@pytest.mark.kernels
@pytest.mark.parametrize("numbers", [0, 2])
@pytest.mark.parametrize("given", PUBLISHED.values(), ids=PUBLISHED)
def test_the_compiled_loop_is_the_separate_calls_to_the_bit(given: dict[str, Any], numbers: int) -> None:
    settings = replace(SETTINGS, **given)
    compiled, plain = learner_of(settings, facts(numbers)), learner_of(settings, facts(numbers))
    names = [name for name, _ in compiled.network.parameters()]
    assert names[-2:] == ["facts.output.labels", "facts.output.projection"]
    train_alike(compiled, plain, settings)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"scale": 4.0, "look_back": 3, "loss": "bpr-max"},
        {"scale": 4.0, "look_back": 3, "constrained_embedding": False, "embedding": "layersize"},
        {"scale": 4.0, "constrained_embedding": False, "cell": "lstm"},
        {"scale": 4.0, "look_back": 3, "loss": "softmax", "layers": (5, 6), "label_smoothing": 0.1},
        {"constrained_embedding": False, "embedding": 4, "loss": "softmax"},
    ],
    ids=str,
)
def test_gradients_of_a_window_are_those_of_its_loss(given: dict[str, Any]) -> None:
    """A plain SGD step moves each parameter by -lr times its gradient: the loss falls by what that says, and
    by what the parameters that facts add say alone."""
    settings = replace(SETTINGS, steps_per_update=3, optimizer="sgd", learning_rate=2e-4, logq=0.0, **given)
    window = windows_of(settings)[0]
    for only in ("", "facts."):
        require_gradients(
            lambda: learner_of(settings), lambda learner: learn(learner, window), settings.learning_rate, only
        )


@pytest.mark.parametrize("given", [{}, {"loss": "softmax"}, {"sample_alpha": 0.0, "n_sample": 200}], ids=str)
def test_an_item_without_a_click_keeps_zeros_as_its_own_row(given: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **given)
    support = np.bincount(log()[0].items, minlength=N_ITEMS + 3)
    known = facts().followed_by(Facts.nothing(3, 2)), N_LABELS
    learner = settings.learner(support, N_LANES, torch.device("cpu"), known=known)
    list(train_epoch(learner, log()[0], settings, Position()))
    unclicked = torch.from_numpy(support == 0)
    for table in learner.network.tables.values():
        assert not table[unclicked].any()
        assert table[~unclicked].any()


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_other_optimisers_learn_what_facts_add(optimizer: str) -> None:
    settings = replace(SETTINGS, optimizer=optimizer, learning_rate=0.01, grad_clip=1.0, weight_decay=1e-4)
    learner, start = learner_of(settings), learner_of(settings)
    list(train_epoch(learner, log()[0], settings, Position()))
    for name, values in learner.network.added.items():
        assert (values != start.network.added[name]).any(1).all()
        assert torch.isfinite(values).all()


def test_where_own_rows_are_dropped_facts_alone_are_learned() -> None:
    settings = replace(SETTINGS, dropout_p_own=0.999, momentum=0.0)
    learner, start = learner_of(settings), learner_of(settings)
    for window in windows_of(settings)[:3]:
        learn(learner, window)
    (name, own), *_ = learner.network.parameters()
    assert name == "output"
    assert (own == start.network.tables["output"]).all(1).float().mean() > 0.8
    assert (learner.network.added["output.labels"] != start.network.added["output.labels"]).any()
