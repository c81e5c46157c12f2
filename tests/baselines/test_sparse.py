"""Sparse blocks against the dense matrix they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recsys_gru.baselines.sparse import Rows, SparseBlock
from recsys_gru.kernels.sparse import add_rows, sum_rows

pytestmark = pytest.mark.kernels


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 30), st.integers(0, 8))
def test_tiles_and_own_scores_are_the_dense_ones(seed: int, height: int, width: int, asked: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(-3, 4, (height, width)).astype(np.float32)
    base, which = rng.random(width, dtype=np.float32), rng.integers(height, size=asked)
    block = SparseBlock(np.arange(asked), base, Rows.of(sparse.csr_array(dense)), which)
    expected = np.where(dense == 0, base, dense)[which]
    first, last = sorted(rng.integers(width + 1, size=2))
    np.testing.assert_array_equal(block.tile(int(first), int(last)), expected[:, first:last])
    wanted = rng.integers(width, size=asked).astype(np.int32)
    np.testing.assert_array_equal(block.own(wanted), expected[np.arange(asked), wanted])


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 30), st.integers(1, 8))
def test_sums_and_mixtures_are_the_dense_ones(seed: int, height: int, width: int, asked: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 4, (height, width)).astype(np.float32) * (rng.random((height, width)) < 0.5)
    base, which = rng.random(width, dtype=np.float32), rng.integers(height, size=asked)
    rows = Rows.of(sparse.csr_array(dense))
    scores = np.where(dense == 0, base, dense)[which].astype(np.float64)
    totals, largest = np.full(asked, base.astype(np.float64).sum()), np.full(asked, base.max(), np.float64)
    sum_rows(rows.offsets, rows.items, rows.values, which, base, totals, largest)
    np.testing.assert_allclose(totals, scores.sum(1), rtol=1e-6)
    assert (largest == scores.max(1)).all()  # values are of at least 1, the base is below
    scale, before = rng.random(asked, dtype=np.float32), rng.random((asked, width), dtype=np.float32)
    mixed = before + scale[:, None] * base
    add_rows(rows.offsets, rows.items, rows.values, which, base, scale, mixed)
    np.testing.assert_allclose(mixed, before + scale[:, None] * scores, rtol=1e-5, atol=1e-6)


def test_making_rows_leaves_the_matrix_as_it_was() -> None:
    matrix = sparse.csr_array((np.ones(3), np.array([1, 1, 0]), np.array([0, 3])), shape=(1, 2))
    assert Rows.of(matrix).values.tolist() == [1.0, 2.0]
    assert matrix.indices.tolist() == [1, 1, 0]
