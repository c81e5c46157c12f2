"""Events on their way into packed sessions as compiled loops, against lists and a dictionary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.packing import number_by_appearance, spread
from recsys_gru.kernels.rules import Rows

pytestmark = pytest.mark.kernels
ROW = st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(0, 2))


@given(sessions=st.lists(st.tuples(st.booleans(), st.lists(ROW, max_size=6)), max_size=8))
def test_rows_of_a_level_are_put_at_their_place(
    sessions: list[tuple[bool, list[tuple[int, int, int]]]],
) -> None:
    flat = [row for _, session in sessions for row in session]
    items, times, levels = (np.array([row[i] for row in flat], dtype=np.int64) for i in range(3))
    sizes = np.array([len(session) for _, session in sessions], dtype=np.int64)
    rows = Rows(items.astype(np.int32), times, levels.astype(np.int8), sizes)
    expected = [(-1, -1)] * (len(flat) + 1)
    places, place = [-1] * len(sessions), 1
    for number, (stays, session) in reversed(list(enumerate(sessions))):  # the last session comes first
        kept = [(item, time) for item, time, level in session if level == 2]
        if stays:
            places[number] = place
            expected[place : place + len(kept)] = kept
            place += len(kept)
    found = np.full(len(flat) + 1, -1, np.int32), np.full(len(flat) + 1, -1)
    spread(rows, 2, np.array(places, dtype=np.int64), *found)
    assert list(zip(*(values.tolist() for values in found), strict=True)) == expected


@given(first=st.lists(st.integers(0, 20), max_size=9), items=st.lists(st.integers(0, 20), max_size=40))
def test_items_are_numbered_by_first_appearance(first: list[int], items: list[int]) -> None:
    known = {item: number for number, item in enumerate(dict.fromkeys(first))}
    numbers, coded = np.full(21, -1, np.int32), np.array(items, dtype=np.int32)
    for item, number in known.items():
        numbers[item] = number
    number_by_appearance(coded, numbers)
    for item in items:
        known.setdefault(item, len(known))
    assert coded.tolist() == [known[item] for item in items]
    assert numbers.tolist() == [known.get(item, -1) for item in range(21)]
