"""Rules of the filter as compiled loops, against lists and counting written plainly."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.rules import Law, Rows, drop_small, judge, last_rules, outline

pytestmark = pytest.mark.kernels
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=150)
N_ITEMS, BEGIN, CUT, WINDOW, CUT_OFF, RARE, SHORT, UNKNOWN, KEPT = 5, 3, 7, 1, 2, 3, 4, 5, 6


class Event(NamedTuple):
    """A row of a log by itself."""

    item: int
    time: int
    level: int


EVENT = st.builds(
    Event, st.integers(0, N_ITEMS - 1), st.integers(0, 9), st.sampled_from([0, KEPT, KEPT, KEPT])
)
SESSIONS = st.lists(
    st.lists(EVENT, max_size=6).map(lambda found: sorted(found, key=time_and_item)), max_size=9
)
FLAGS = st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS)


def time_and_item(event: Event) -> tuple[int, int]:
    return event.time, event.item


def law_of(min_length: int) -> Law:
    return Law(BEGIN, CUT, min_length, WINDOW, CUT_OFF, RARE, SHORT, UNKNOWN, KEPT)


def rows_of(sessions: list[list[Event]]) -> Rows:
    items, times, levels = (
        np.array([event[i] for session in sessions for event in session], dtype=np.int64) for i in range(3)
    )
    sizes = np.array([len(session) for session in sessions], dtype=np.int64)
    return Rows(items.astype(np.int32), times, levels.astype(np.int8), sizes)


def level_of(event: Event, rare: list[bool]) -> int:
    """The first rule that takes a training row by itself, if one does."""
    rules = [
        (event.level < KEPT, event.level),
        (event.time < BEGIN, WINDOW),
        (event.time >= CUT, CUT_OFF),
        (rare[event.item], RARE),
    ]
    return next((level for broken, level in rules if broken), KEPT)


@given(sessions=SESSIONS, rare=FLAGS, min_length=st.integers(1, 4))
def test_rows_are_judged_one_rule_after_the_other(
    sessions: list[list[Event]], rare: list[bool], min_length: int
) -> None:
    levels: list[int] = []
    supported: list[int] = []
    for session in sessions:
        found = [event.level for event in session]
        kept = [event for event in session if event.level == KEPT]
        if kept and kept[0].time < CUT:
            found = [level_of(event, rare) for event in session]
            if found.count(KEPT) < min_length:
                found = [SHORT if level == KEPT else level for level in found]
            supported += [event.item for event, level in zip(session, found, strict=True) if level == KEPT]
        levels += found
    rows, support = rows_of(sessions), np.zeros(N_ITEMS, np.int64)
    judge(rows, law_of(min_length), np.array(rare), support)
    assert rows.levels.tolist() == levels
    assert support.tolist() == [supported.count(item) for item in range(N_ITEMS)]


@given(sessions=SESSIONS, known=FLAGS)
def test_a_session_is_told_by_the_rows_it_keeps(sessions: list[list[Event]], known: list[bool]) -> None:
    told: list[tuple[int, int, int]] = []
    levels: list[int] = []
    for session in sessions:
        kept = [event for event in session if event.level == KEPT]
        tested = bool(kept) and kept[0].time >= CUT
        stay = [event for event in kept if known[event.item] or not tested]
        told.append((int(tested), kept[0].time, len(stay)) if kept else (-1, 0, 0))
        levels += [UNKNOWN if event in kept and event not in stay else event.level for event in session]
    rows = rows_of(sessions)
    found = outline(rows, law_of(1), np.array(known, dtype=np.int64))
    assert list(zip(*(values.tolist() for values in found), strict=True)) == told
    assert rows.levels.tolist() == levels


@given(sessions=SESSIONS)
def test_the_last_rule_is_the_highest_level(sessions: list[list[Event]]) -> None:
    by_item = np.full(N_ITEMS, -1, np.int8)
    by_item[0] = 2  # as an earlier bucket left it
    by_session = last_rules(rows_of(sessions), by_item)
    assert by_session.tolist() == [
        max([event.level for event in session], default=-1) for session in sessions
    ]
    events = [Event(0, 0, 2), *(event for session in sessions for event in session)]
    assert by_item.tolist() == [
        max([event.level for event in events if event.item == item], default=-1) for item in range(N_ITEMS)
    ]


@given(ROWS, st.integers(1, 5))
def test_small_groups_are_dropped_and_both_counts_stay_true(
    rows: list[tuple[int, int, int]], bound: int
) -> None:
    groups, others = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    sizes, other_sizes = np.bincount(groups, minlength=4), np.bincount(others, minlength=6)
    alive = np.ones(len(rows), dtype=np.bool_)
    expected = np.array([np.sum(groups == group) >= bound for group in groups], dtype=np.bool_)
    assert drop_small(alive, groups, sizes, others, other_sizes, bound) == np.sum(~expected)
    assert np.array_equal(alive, expected)
    assert np.array_equal(sizes, np.bincount(groups[expected], minlength=4))
    assert np.array_equal(other_sizes, np.bincount(others[expected], minlength=6))
