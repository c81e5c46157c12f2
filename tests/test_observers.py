"""Events reach the listeners of their own context, and only those."""

import contextvars

import pytest

from recsys_gru.observers import EpochEnded, Event, FitEnded, FitStarted, announce, fitting, listening


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
