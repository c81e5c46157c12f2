"""Hyper-parameters are refused at the door, with the value and what is allowed."""

from typing import Any

import numpy as np
import pytest
import torch

from recsys_gru.errors import ParameterError
from recsys_gru.training import Settings, TrainingData, resolve_device


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"layers": ()}, "layers must be"),
        ({"layers": (0,)}, "layers must be"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"batch_size": 0}, "batch_size must be a whole number above 0, not 0"),
        ({"n_epochs": 1.5}, "n_epochs must be"),
        ({"n_sample": -1}, "n_sample must be"),
        ({"dropout_p_hidden": 1.0}, "from 0 to below 1"),
        ({"momentum": float("nan")}, "momentum must be"),
        ({"sample_alpha": -0.1}, "sample_alpha must be 0 or more"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"gbce_calibration": 2.0}, "gbce_calibration must be"),
        ({"cell": "gruu"}, "cell must be one of gru, gru-reset-before, lstm, rnn"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"lr_schedule": "step"}, "lr_schedule must be one of"),
        ({"embedding": -2}, "embedding must be"),
        ({"constrained_embedding": False, "dropout_p_embed": 0.2}, "dropout_p_embed must be 0"),
        ({"n_sample": 0, "batch_size": 1}, "leaves no negatives"),
        ({"exclude_hits": True, "label_smoothing": 0.1}, "does not go together"),
        ({"repeats": 2, "label_smoothing": 0.1}, "does not go together"),
        ({"repeats": -1}, "repeats"),
    ],
)
def test_impossible_values_are_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        Settings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "mode", "width"),
    [
        ({}, "tied", 0),
        ({"constrained_embedding": False}, "one-hot", 0),
        ({"constrained_embedding": False, "embedding": 7}, "separate", 7),
        ({"constrained_embedding": False, "embedding": "layersize", "layers": (9, 4)}, "separate", 9),
    ],
)
def test_published_names_choose_the_input_mode(given: dict[str, object], mode: str, width: int) -> None:
    architecture = Settings(**given).architecture(30)  # type: ignore[arg-type]
    assert (architecture.mode, architecture.embedding) == (mode, width)


@pytest.mark.parametrize("loss", ["gbce", "bpr", "top1", "softmax"])
def test_every_loss_builds_a_learner_that_learns(loss: str) -> None:
    settings = Settings(loss=loss, layers=(4,), n_sample=3, batch_size=2)
    learner = settings.learner(np.arange(1, 11), 2, torch.device("cpu"))
    data = TrainingData(np.array([1, 2, 3, 4, 5, 6], dtype=np.int32), np.array([0, 3, 6]))
    (windows,) = settings.lanes(data.offsets).stretches(1, 5)
    assert all(np.isfinite(learner.update(rows, flow)) for rows, flow in learner.plan(data, windows))


def test_devices_resolve_or_are_refused() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda")
    with pytest.raises(ParameterError, match="device must be 'auto'"):
        resolve_device("abacus")
    with pytest.raises(ParameterError, match="expected a device of this machine, got 'cuda:64'"):
        resolve_device("cuda:64")


@pytest.mark.parametrize("wrong", [{"layers": (10**9,)}, {"batch_size": 10**12}, {"n_sample": 10**15}])
def test_what_no_machine_holds_is_refused_before_memory_is_asked_for(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="at most"):
        Settings(**wrong)


@pytest.mark.parametrize("name", ["mps", "meta", "xpu"])
def test_a_device_that_was_never_tried_is_refused_in_words(name: str) -> None:
    with pytest.raises(ParameterError, match="expected device as 'auto', cpu or cuda"):
        resolve_device(name)


@pytest.mark.parametrize(
    "given", [{"constrained_embedding": False}, {"constrained_embedding": False, "embedding": 5}], ids=str
)
def test_looking_back_needs_input_rows_as_wide_as_the_last_layer(given: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="expected rows of its width, 6, got"):
        Settings(layers=(6,), look_back=2, **given)
    assert Settings(layers=(6,), look_back=2, constrained_embedding=False, embedding=6).look_back == 2
