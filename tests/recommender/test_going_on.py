"""Going on with a session from where it was left: the bits of the whole session, whatever it goes beside."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from recsys_gru import GRU4Rec
from recsys_gru.contract import Begun, Question, answer
from tests.contract.suite import log

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "looking back": {"look_back": 3, "repeats": 4, "scale": 8.0},
    "two layers": {"layers": (12, 7)},
    "lstm": {"layers": (6, 12), "cell": "lstm", "constrained_embedding": False, "embedding": 5},
    "one-hot": {"constrained_embedding": False},
    "reset before": {"layers": (12, 12), "cell": "gru-reset-before"},
    "rnn": {"layers": (5, 6, 7), "cell": "rnn"},
    "facts": {"context": ("device",), "look_back": 2},
}


def fitted(name: str) -> GRU4Rec:
    """A model of some options; what the last one is told of items and moments goes into its answers too."""
    clicks = log(40)
    clicks = clicks.with_columns(device=pl.Series(["desk", "phone"] * len(clicks)).head(len(clicks)))
    items = pl.DataFrame({"item_id": range(100, 112), "kind": [f"kind {n % 3}" for n in range(12)]})
    given: dict[str, Any] = {"layers": (12,), "batch_size": 8, "n_sample": 16, "n_epochs": 1, "device": "cpu"}
    model = GRU4Rec(**given | OPTIONS[name])
    return model.fit(clicks, items=items) if name == "facts" else model.fit(clicks.drop("device"))


@pytest.mark.kernels
@pytest.mark.parametrize("name", OPTIONS)
def test_steps_give_the_bits_of_whole_sessions(name: str) -> None:
    model, draw = fitted(name), np.random.default_rng(5)
    clicks: dict[int, list[int]] = {session: [] for session in range(7)}
    begun: dict[int, Begun] = {}
    for _ in range(60):
        asked: dict[int, Question] = {}
        for session in draw.permutation(7)[: draw.integers(1, 8)].tolist():
            if draw.random() < 0.1:  # another session of that name
                clicks[session] = []
            if draw.random() < 0.1 or not clicks[session]:  # thrown away
                begun.pop(session, None)
            clicks[session] += draw.integers(0, 12, draw.integers(0, 3)).tolist()
            items = np.array(clicks[session], np.int32)
            asked[session] = Question(items, 4, items[:1], begun=begun.get(session, Begun()))
            if name == "facts" and draw.random() < 0.5:
                asked[session] = replace(asked[session], context={"device": "phone"})
        for session, found in zip(asked, answer(model, list(asked.values())), strict=True):
            (whole,) = answer(model, [replace(asked[session], begun=None)])
            assert whole.begun is None
            assert np.array_equal(found.items, whole.items)
            assert np.array_equal(found.scores, whole.scores)
            assert (found.begun is None) is found.popular is (not clicks[session])
            if found.begun is not None:
                assert found.begun.clicks == len(clicks[session])
                begun[session] = found.begun
    assert max(one.clicks for one in begun.values()) > 4


def test_what_is_not_asked_to_be_kept_is_not() -> None:
    model, items = fitted("plain"), np.array([1, 2], np.int32)
    kept, not_kept, nothing = answer(
        model, [Question(items, 3, begun=Begun()), Question(items, 3), Question(items[:0], 3, begun=Begun())]
    )
    assert kept.begun is not None
    assert len(kept.begun.state) == 4 * 12
    assert not_kept.begun is nothing.begun is None
    assert np.array_equal(kept.scores, not_kept.scores)


def test_a_network_in_double_goes_on_with_nothing() -> None:
    model = fitted("plain")
    for weights in (model.network_.tables, *model.network_.layers):
        weights.update({name: values.to(torch.float64) for name, values in weights.items()})
    (found,) = answer(model, [Question(np.array([1, 2], np.int32), 3, begun=Begun())])
    assert found.begun is None
    assert len(found.items) == 3
