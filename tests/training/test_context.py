"""Learning from a moment on: what goes before is read, every later event is learned once."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_gru.training import Learner, Position, Settings, TrainingData, train_epoch
from recsys_gru.training.compiled import CompiledLearner
from recsys_gru.training.context import learned_part

SETTINGS = Settings(layers=(6,), batch_size=4, n_sample=5, learning_rate=0.1, logq=1.0, n_epochs=1)
N_ITEMS = 20
CPU = torch.device("cpu")


def sessions(seed: int = 1) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 8, 15)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    new = np.minimum(rng.integers(0, 8, 15), lengths)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return (
        rng.integers(0, N_ITEMS, offsets[-1]).astype(np.int32),
        offsets,
        place >= np.repeat(lengths - new, lengths),
    )


def learner_of(settings: Settings) -> Learner:
    return settings.learner(np.arange(1, N_ITEMS + 1), 4, CPU)


@st.composite
def timed_sessions(draw: st.DrawFn) -> list[list[int]]:
    """Ascending times of the events of some sessions."""
    sessions = st.lists(st.lists(st.integers(0, 9), max_size=6).map(sorted), max_size=8)
    return draw(sessions)


@given(timed_sessions(), st.sets(st.integers(0, 10), max_size=4))
def test_pieces_hold_every_transition_once(times: list[list[int]], cuts: set[int]) -> None:
    lengths = [len(session) for session in times]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    moment = np.array([time for session in times for time in session], dtype=np.int64)
    names = np.arange(len(moment), dtype=np.int32)
    learned: list[int] = []
    for begin, end in pairwise([-1, *sorted(cuts), 11]):
        kept = moment < end
        bounds = np.concatenate([[0], np.cumsum(kept)])[offsets]
        items, parts, context = learned_part(names[kept], bounds, moment[kept] >= begin)
        for first, last in pairwise(parts.tolist()):
            learned += items[first + 1 : last].tolist()
        before = (
            {}
            if context is None
            else dict(zip(context.heads.tolist(), pairwise(context.offsets.tolist()), strict=True))
        )
        for first in set(parts[:-1][np.diff(parts) > 0].tolist()):
            head = (
                []
                if context is None or first not in before
                else context.items[slice(*before[first])].tolist()
            )
            session = next(s for s, e in enumerate(offsets[1:]) if items[first] < e)
            assert [*head, items[first]] == list(range(offsets[session], items[first] + 1))
    begun = set(offsets[:-1].tolist())
    assert sorted(learned) == [event for event in range(len(moment)) if event not in begun]


def test_the_last_clicks_are_those_of_the_whole_session_wherever_learning_begins() -> None:
    _, offsets, counted = sessions(seed=3)
    events = np.arange(offsets[-1], dtype=np.int32)
    data = TrainingData.of(events, offsets, counted)
    assert data.context is not None
    at = np.arange(len(data.items))
    for found, event in zip(data.recent(at, 4).tolist(), data.items.tolist(), strict=True):
        begin = int(offsets[np.searchsorted(offsets, event, side="right") - 1])
        before = list(range(event, begin - 1, -1))[:4]
        assert found == before + [-1] * (4 - len(before))


PUBLISHED: dict[str, dict[str, Any]] = {
    "cross-entropy": {},
    "bpr-max": {"loss": "bpr-max", "momentum": 0.3, "dropout_p_embed": 0.4, "dropout_p_hidden": 0.2},
    "several steps": {"steps_per_update": 3},
    "last clicks": {"look_back": 3, "scale": 8.0},
}


@pytest.mark.kernels
@pytest.mark.parametrize("given", PUBLISHED.values(), ids=PUBLISHED)
def test_the_compiled_loop_begins_where_the_separate_calls_do(given: dict[str, Any]) -> None:
    settings, data = replace(SETTINGS, **given), TrainingData.of(*sessions())
    compiled, plain = learner_of(settings), learner_of(settings)
    assert isinstance(compiled, CompiledLearner)
    plain = Learner(**vars(plain))
    with np.errstate(over="ignore"):
        for learner in (compiled, plain):
            list(train_epoch(learner, data, settings, Position(), pause=5))
    for (name, found), (_, expected) in zip(
        compiled.network.parameters(), plain.network.parameters(), strict=True
    ):
        assert torch.equal(found, expected), name
    without = learner_of(settings)
    with np.errstate(over="ignore"):
        list(train_epoch(without, TrainingData(data.items, data.offsets), settings, Position()))
    assert not torch.equal(without.network.tables["output"], compiled.network.tables["output"])


@pytest.mark.parametrize(
    "shape", [{}, {"layers": (5, 7)}, {"cell": "lstm"}, {"cell": "rnn", "layers": (6, 6)}], ids=str
)
def test_a_context_leaves_the_states_of_a_walk_event_by_event(shape: dict[str, Any]) -> None:
    network = learner_of(replace(SETTINGS, **shape)).network
    context = TrainingData.of(*sessions()).context
    assert context is not None
    begun = context.read(network)
    for c, (first, last) in enumerate(pairwise(context.offsets.tolist())):
        states = network.zero_states(1)
        for item in context.items[first:last].tolist():
            row = network.input_rows(torch.tensor([item]))
            for i, (cell, weights) in enumerate(zip(network.cells, network.layers, strict=True)):
                gates = torch.nn.functional.linear(row, weights["input"], weights.get("input_bias"))
                states[i], _ = cell.forward(weights, gates, states[i])
                row = states[i][:, : cell.units]
        for found, expected in zip(begun.states, states, strict=True):
            torch.testing.assert_close(found[c], expected[0])


def test_with_steps_of_one_the_gradient_is_that_of_the_whole_session() -> None:
    """A learning rate of nearly nothing: losses of pieces are those of whole sessions, event for event."""
    settings = replace(SETTINGS, batch_size=1, n_sample=0, loss="softmax", learning_rate=1e-12)
    items, offsets = np.array([3, 1, 4, 1, 5], np.int32), np.array([0, 5])
    whole, pieces = Position(), Position()
    list(train_epoch(learner_of(settings), TrainingData(items, offsets), settings, whole))
    losses = 0.0
    for begin, end in ((0, 2), (2, 5)):
        data = TrainingData.of(items[:end], np.array([0, end]), np.arange(end) >= begin)
        at = Position()
        list(train_epoch(learner_of(settings), data, settings, at))
        losses, pieces.events = losses + at.loss, pieces.events + at.events
    assert losses == pytest.approx(whole.loss, rel=1e-5)
    assert pieces.events == whole.events == 4
