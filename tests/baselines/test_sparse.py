"""Sparse blocks against the dense matrix they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recsys_gru.baselines.sparse import Rows, SparseBlock
from recsys_gru.kernels.sparse import add_dense, add_rows, sum_rows
from recsys_gru.ranking import Base

pytestmark = pytest.mark.kernels


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 30), st.integers(0, 8))
def test_tiles_and_own_scores_are_the_dense_ones(seed: int, height: int, width: int, asked: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(-3, 4, (height, width)).astype(np.float32)
    base, which = rng.random(width, dtype=np.float32), rng.integers(height, size=asked)
    block = SparseBlock(np.arange(asked), Base.of(base), Rows.of(sparse.csr_array(dense)), which)
    expected = np.where(dense == 0, base, dense)[which]
    first, last = sorted(rng.integers(width + 1, size=2))
    np.testing.assert_array_equal(block.tile(int(first), int(last)), expected[:, first:last])
    wanted = rng.integers(width, size=asked).astype(np.int32)
    np.testing.assert_array_equal(block.own(wanted), expected[np.arange(asked), wanted])


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 30), st.integers(1, 8))
def test_sums_and_mixtures_are_the_dense_ones(seed: int, height: int, width: int, asked: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 4, (height, width)).astype(np.float32) * (rng.random((height, width)) < 0.5)
    base = rng.random(width, dtype=np.float32) * np.float32(rng.random() < 0.7)
    which = rng.integers(height, size=asked)
    rows = Rows.of(sparse.csr_array(dense))
    scores = np.where(dense == 0, base, dense)[which].astype(np.float64)
    entries = rows.offsets, rows.items, rows.values, which
    totals, largest = sum_rows(entries, base, Base.of(base)[1:])
    np.testing.assert_allclose(totals, np.where(scores.sum(1) > 0, scores.sum(1), np.inf), rtol=1e-6)
    np.testing.assert_allclose(largest, scores.max(1) / totals)  # values are of at least 1, the base is below
    weights, before = rng.random(asked), rng.random((asked, width), dtype=np.float32)
    mixed = before.copy()
    add_rows(entries, base, weights, totals, mixed, bool(base.any()))
    scale = (weights / totals)[:, None]
    np.testing.assert_allclose(mixed, before + scale * scores, rtol=1e-5, atol=1e-6)
    mixed = before.copy()
    add_dense(dense, which, weights.astype(np.float32), mixed)
    np.testing.assert_allclose(mixed, before + weights[:, None] * dense[which], rtol=1e-5)


def test_making_rows_leaves_the_matrix_as_it_was() -> None:
    matrix = sparse.csr_array((np.ones(3), np.array([1, 1, 0]), np.array([0, 3])), shape=(1, 2))
    assert Rows.of(matrix).values.tolist() == [1.0, 2.0]
    assert matrix.indices.tolist() == [1, 1, 0]
