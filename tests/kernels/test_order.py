"""Order and numbers by compiled loops, against sorting and counting written plainly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.order import event_order, number_equal

pytestmark = pytest.mark.kernels
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=150)


@given(ROWS)
def test_rows_go_by_session_time_and_item(rows: list[tuple[int, int, int]]) -> None:
    sessions, times, items = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    order = event_order(sessions, times, items, 4)
    assert order.tolist() == sorted(range(len(rows)), key=rows.__getitem__)  # equal rows as they came


@given(st.lists(st.integers(0, 2**64 - 1)), st.integers(1, 9))
def test_equal_hashes_get_one_number_by_first_appearance(values: list[int], spread: int) -> None:
    hashes = np.array([value % spread for value in values] + values, dtype=np.uint64)
    numbers, firsts = number_equal(hashes)
    seen = list(dict.fromkeys(hashes.tolist()))
    assert numbers.tolist() == [seen.index(value) for value in hashes.tolist()]
    assert firsts.tolist() == [hashes.tolist().index(value) for value in seen]
