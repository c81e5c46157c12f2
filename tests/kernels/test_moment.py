"""Rows of moments' labels beside what is read out, and their gradients, against NumPy."""

import numpy as np
import pytest

from recsys_gru.kernels.moment import add_labels, label_sums

pytestmark = pytest.mark.kernels
LABELS = np.array([[4, 1], [-1, 4], [-1, -1], [0, 2], [0, 4]])


@pytest.mark.parametrize("width", [1, 16, 21])
def test_the_rows_of_labels_are_added(width: int) -> None:
    table, out = (np.random.default_rng(n).standard_normal((5, width), np.float32) for n in (1, 2))
    padded = np.vstack([table, np.zeros((1, width))])  # -1 is the last row
    expected = out + padded[LABELS].sum(1)
    add_labels(table, LABELS, out)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("width", [1, 16, 21])
def test_gradients_of_labels_are_sums(width: int) -> None:
    gradient = np.random.default_rng(3).standard_normal((5, width), np.float32)
    distinct, sums = label_sums(LABELS, 5, gradient)
    assert distinct.tolist() == [4, 1, 0, 2]
    for label, found in zip(distinct, sums, strict=True):
        np.testing.assert_allclose(found, (label == LABELS).sum(1) @ gradient, rtol=1e-5, atol=1e-6)
