"""Events reach the listeners of their own context, and only those."""

import contextvars

import pytest

from recsys_gru.engines import on_threads
from recsys_gru.observers import (
    EpochEnded,
    Event,
    FitEnded,
    FitStarted,
    announce,
    epochs_as,
    fitting,
    listening,
)
from tests.threads import torch_threads


def test_a_failed_fit_is_announced_with_its_error_and_the_error_goes_on() -> None:
    heard: list[Event] = []
    with (
        listening(heard.append),
        pytest.raises(RuntimeError, match="loss is NaN"),
        fitting("m", "train", "valid"),
    ):
        raise RuntimeError("loss is NaN")
    assert heard[0] == FitStarted("m", "train", "valid")
    assert isinstance(heard[1], FitEnded)
    assert isinstance(heard[1].error, RuntimeError)


def test_nested_listeners_hear_in_order_and_stop_at_their_block() -> None:
    heard: list[str] = []
    with listening(lambda _: heard.append("outer")):
        with listening(lambda _: heard.append("inner")):
            announce(EpochEnded("m", 1))
        announce(EpochEnded("m", 2))
    announce(EpochEnded("m", 3))
    assert heard == ["outer", "inner", "outer"]


def test_another_context_hears_nothing() -> None:
    heard: list[Event] = []
    fresh = contextvars.Context()
    with listening(heard.append):
        fresh.run(announce, FitEnded("m"))
    assert heard == []


def test_epochs_that_end_on_threads_are_heard_one_after_the_other() -> None:
    heard: list[Event] = []
    inside: list[bool] = []

    def listener(event: Event) -> None:
        inside.append(True)
        assert inside == [True]
        heard.append(event)
        inside.pop()

    with torch_threads(4), listening(listener), epochs_as("a blend"):
        on_threads(lambda epoch: announce(EpochEnded("a member", epoch)), range(200))
    assert {event.report for event in heard if isinstance(event, EpochEnded)} == set(range(200))
    assert len(heard) == 200
    assert {event.model for event in heard if isinstance(event, EpochEnded)} == {"a blend"}
