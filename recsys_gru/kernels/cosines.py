"""Rows turned into their directions, and gradients through that: what a score that is a cosine needs.

A row without a length has no direction: zeros stand for it, and no gradient comes through.
"""

import numpy as np

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.machine.jit import in_order, kernel

LEAST = np.float32(1e-12)
"""A row whose square is shorter has no length."""


@in_order
def dot(a: Floats, b: Floats) -> np.float32:
    """Return the sum of a_j b_j, (n,) each, in eight sums side by side, which a vector register holds.

    Twin: NumPy in double, tests/kernels/test_cosines.py::test_a_sum_of_products_is_that_of_doubles.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
    whole = len(a) - len(a) % 8
    for j in range(0, whole, 8):
        s0 += a[j] * b[j]
        s1 += a[j + 1] * b[j + 1]
        s2 += a[j + 2] * b[j + 2]
        s3 += a[j + 3] * b[j + 3]
        s4 += a[j + 4] * b[j + 4]
        s5 += a[j + 5] * b[j + 5]
        s6 += a[j + 6] * b[j + 6]
        s7 += a[j + 7] * b[j + 7]
    for j in range(whole, len(a)):
        s0 += a[j] * b[j]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@in_order
def summed(a: Floats) -> np.float32:
    """Return the sum of a_j, (n,), in eight sums as of `dot`.

    Twin: NumPy in double, tests/kernels/test_cosines.py::test_a_sum_of_products_is_that_of_doubles.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
    whole = len(a) - len(a) % 8
    for j in range(0, whole, 8):
        s0 += a[j]
        s1 += a[j + 1]
        s2 += a[j + 2]
        s3 += a[j + 3]
        s4 += a[j + 4]
        s5 += a[j + 5]
        s6 += a[j + 6]
        s7 += a[j + 7]
    for j in range(whole, len(a)):
        s0 += a[j]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@in_order
def set_length(row: Floats, length: np.float32) -> None:
    """Give a row (H,) this length, in its place.

    Twin: NumPy in double, tests/kernels/test_cosines.py::test_rows_get_their_length_and_keep_their_direction.
    """
    square = dot(row, row)
    factor = length / np.sqrt(square) if square > LEAST else np.float32(0)
    for j in range(len(row)):
        row[j] *= factor


@kernel
def directions(rows: Floats, length: np.float32, out: Floats) -> None:
    """Set out (R, H) to the rows (R, H), each stretched to this length.

    Twin: NumPy in double, tests/kernels/test_cosines.py::test_rows_get_their_length_and_keep_their_direction.
    """
    for i in range(len(rows)):
        row, copy = rows[i], out[i]
        for j in range(len(row)):
            copy[j] = row[j]
        set_length(copy, length)


@in_order
def across(gradient: Floats, row: Floats, length: np.float32) -> None:
    """Turn the gradient (H,) of a row stretched to this length into that of the row itself (H,), in its
    place: length / |row| times what of it is across the row.

    Twin: automatic differentiation, tests/kernels/test_cosines.py::test_gradients_pass_through_a_direction.
    """
    square, along = dot(row, row), dot(row, gradient)
    if square <= LEAST:
        gradient[:] = 0
        return
    factor, share = length / np.sqrt(square), along / square
    for j in range(len(row)):
        gradient[j] = factor * (gradient[j] - share * row[j])


@kernel
def across_each(gradients: Floats, rows: Floats, length: np.float32) -> None:
    """As `across` for each of the rows (R, H).

    Twin: automatic differentiation, tests/kernels/test_cosines.py::test_gradients_pass_through_a_direction.
    """
    for i in range(len(rows)):
        across(gradients[i], rows[i], length)
