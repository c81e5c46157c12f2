"""Order and numbers by compiled loops, against sorting and counting written plainly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.order import event_order, number_equal

pytestmark = pytest.mark.kernels
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=150)


@given(ROWS)
def test_rows_go_by_session_and_time_and_ties_as_they_came(
    rows: list[tuple[int, int]],
) -> None:
    sessions, times = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(2))
    order = event_order(sessions, times, 4)
    assert order.tolist() == sorted(range(len(rows)), key=lambda row: rows[row])


@given(st.lists(st.integers(0, 2**64 - 1)), st.integers(1, 9))
def test_equal_hashes_get_one_number_by_first_appearance(values: list[int], spread: int) -> None:
    hashes = np.array([value % spread for value in values] + values, dtype=np.uint64)
    numbers, firsts = number_equal(hashes)
    seen = list(dict.fromkeys(hashes.tolist()))
    assert numbers.tolist() == [seen.index(value) for value in hashes.tolist()]
    assert firsts.tolist() == [hashes.tolist().index(value) for value in seen]
