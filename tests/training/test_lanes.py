"""The session-parallel order against a queue of sessions and a list of walkers."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.training.lanes import Lanes, Window, pairs
from tests.oracle_gru4rec import lane_steps

LENGTHS = st.lists(st.integers(0, 7), max_size=25)


def offsets_of(lengths: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def windows_of(lanes: Lanes, steps: int) -> Iterator[Window]:
    for stretch in lanes.stretches(steps, 3):
        assert len(stretch) <= 3
        yield from stretch


@pytest.mark.kernels
@settings(max_examples=200)
@given(lengths=LENGTHS, n_lanes=st.integers(1, 30), steps=st.integers(1, 9))
def test_lanes_walk_as_the_queue_does(lengths: list[int], n_lanes: int, steps: int) -> None:
    offsets = offsets_of(lengths)
    at, fresh, alive = [], [], []
    for window in windows_of(Lanes(offsets, n_lanes), steps):
        assert len(window.alive) <= steps
        at.extend(window.at.tolist())
        fresh.extend(window.fresh.tolist())
        alive.extend(window.alive)
    expected = lane_steps(lengths, n_lanes)
    assert alive == [len(step) for step in expected]
    assert at == [offsets[session] + position for step in expected for session, position, _ in step]
    assert fresh == [begins for step in expected for _, _, begins in step]


@settings(max_examples=200)
@given(lengths=LENGTHS, n_lanes=st.integers(1, 30))
def test_every_pair_is_visited_exactly_once(lengths: list[int], n_lanes: int) -> None:
    offsets = offsets_of(lengths)
    visited = [event for window in windows_of(Lanes(offsets, n_lanes), 4) for event in window.at.tolist()]
    last = set((offsets[1:] - 1).tolist())
    assert sorted(visited) == [event for event in range(sum(lengths)) if event not in last]
    assert len(visited) == pairs(offsets)


@settings(max_examples=100)
@given(lengths=LENGTHS, n_lanes=st.integers(1, 30))
def test_a_lane_that_goes_on_stands_one_event_further_than_its_source(
    lengths: list[int], n_lanes: int
) -> None:
    before: list[int] = []
    for window in windows_of(Lanes(offsets_of(lengths), n_lanes), 1):
        for event, fresh, source in zip(window.at, window.fresh, window.source, strict=True):
            assert fresh or before[source] + 1 == event
        before = window.at.tolist()


@settings(max_examples=100)
@given(lengths=LENGTHS, n_lanes=st.integers(1, 30))
def test_reading_visits_every_event_the_last_ones_included(lengths: list[int], n_lanes: int) -> None:
    lanes = Lanes(offsets_of(lengths), n_lanes, last=True)
    visited = [event for window in windows_of(lanes, 3) for event in window.at.tolist()]
    assert sorted(visited) == list(range(sum(lengths)))


def test_without_samples_the_lone_lane_is_left_out() -> None:
    windows = list(windows_of(Lanes(offsets_of([2, 6]), 2, fewest=2), 1))
    assert [window.at.tolist() for window in windows] == [[0, 2]]


@pytest.mark.kernels
def test_a_small_schedule_by_hand() -> None:
    windows = list(windows_of(Lanes(offsets_of([3, 2, 3]), 2), 2))
    assert [window.at.tolist() for window in windows] == [[0, 3, 1, 5], [6]]
    assert [window.alive for window in windows] == [[2, 2], [1]]
    assert [window.fresh.tolist() for window in windows] == [[True, True, False, True], [False]]
    assert [window.source.tolist() for window in windows] == [[0, 1, 0, 1], [1]]
