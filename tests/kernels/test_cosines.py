"""Directions of rows, and gradients through them, against NumPy in double and automatic differentiation."""

import numpy as np
import pytest
import torch

from recsys_gru.kernels.cosines import across, across_each, directions, dot, set_length, summed

pytestmark = pytest.mark.kernels
SHAPES = pytest.mark.parametrize("shape", [(1, 1), (3, 16), (7, 45)], ids=str)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 45, 100])
def test_a_sum_of_products_is_that_of_doubles(n: int) -> None:
    a, b = np.random.default_rng(n).standard_normal((2, n), np.float32)
    assert dot(a, b) == pytest.approx(float(a.astype(np.float64) @ b), rel=1e-5, abs=1e-5)
    assert summed(a) == pytest.approx(float(a.astype(np.float64).sum()), rel=1e-5, abs=1e-5)


@SHAPES
@pytest.mark.parametrize("length", [1.0, 16.0])
def test_rows_get_their_length_and_keep_their_direction(shape: tuple[int, int], length: float) -> None:
    rows = np.random.default_rng(1).standard_normal(shape, np.float32)
    rows[-1] *= 1e-3
    doubles = rows.astype(np.float64)
    expected = length * doubles / np.linalg.norm(doubles, axis=1, keepdims=True)
    out = np.empty_like(rows)
    directions(rows, np.float32(length), out)
    np.testing.assert_allclose(out, expected, rtol=1e-5)
    set_length(rows[0], np.float32(length))
    np.testing.assert_array_equal(rows[0], out[0])


@SHAPES
@pytest.mark.parametrize("length", [1.0, 16.0])
def test_gradients_pass_through_a_direction(shape: tuple[int, int], length: float) -> None:
    generator = np.random.default_rng(2)
    rows, gradients = generator.standard_normal((2, *shape), np.float32)
    leaf = torch.from_numpy(rows.astype(np.float64)).requires_grad_()
    stretched = length * torch.nn.functional.normalize(leaf, dim=1)
    (expected,) = torch.autograd.grad((stretched * torch.from_numpy(gradients)).sum(), leaf)
    alone = gradients[0].copy()
    across(alone, rows[0], np.float32(length))
    across_each(gradients, rows, np.float32(length))
    np.testing.assert_allclose(gradients, expected, rtol=1e-4, atol=1e-4 * length)
    np.testing.assert_array_equal(alone, gradients[0])


def test_a_row_without_length_has_no_direction_and_lets_no_gradient_through() -> None:
    rows, gradients = np.zeros((2, 5), np.float32), np.ones((2, 5), np.float32)
    out = np.full_like(rows, np.nan)
    directions(rows, np.float32(3), out)
    across_each(gradients, rows, np.float32(3))
    assert not out.any()
    assert not gradients.any()
