"""Rules of the filter as compiled loops, against counting written plainly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.rules import drop_small

pytestmark = pytest.mark.kernels
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=150)


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
