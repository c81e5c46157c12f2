"""Alias tables and draws by compiled loops, against what they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.sampling import alias_draw, alias_table

pytestmark = pytest.mark.kernels
SUPPORT = st.lists(st.integers(1, 1000), min_size=1, max_size=50)


@given(support=SUPPORT)
def test_an_alias_table_holds_its_distribution(support: list[int]) -> None:
    n, probabilities = len(support), np.array(support) / sum(support)
    share, other = np.empty(n), np.empty(n, np.int32)
    alias_table(probabilities, share, other)
    held = np.bincount(np.arange(n), share, n) + np.bincount(other, 1 - share, n)
    np.testing.assert_allclose(held / n, probabilities)
    assert (share >= 0).all()
    assert (share <= 1).all()


@given(support=SUPPORT, seed=st.integers(0, 2**32 - 1))
def test_a_draw_is_a_column_and_a_choice(support: list[int], seed: int) -> None:
    n, generator = len(support), np.random.default_rng(seed)
    share, other = generator.random(n), generator.integers(0, n, n).astype(np.int32)
    uniform = np.append(generator.random(40), [0.0, np.nextafter(1, 0)])
    drawn = np.empty(len(uniform), np.int64)
    alias_draw(uniform, share, other, drawn)
    rest, column = np.modf(uniform * n)
    column = column.astype(np.int64)
    np.testing.assert_array_equal(drawn, np.where(rest < share[column], column, other[column]))
