"""Rows turned into their directions, and gradients through that: what a score that is a cosine needs.

A row without a length has no direction: zeros stand for it, and no gradient comes through.
"""

import numpy as np

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.machine.jit import kernel

LEAST = np.float32(1e-12)
"""A row whose square is shorter has no length."""


@kernel
def set_length(row: Floats, length: np.float32) -> None:
    """Give a row (H,) this length, in its place.

    Twin: NumPy in double, tests/kernels/test_cosines.py::test_rows_get_their_length_and_keep_their_direction.
    """
    square = np.float32(0)
    for j in range(len(row)):
        square += row[j] * row[j]
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


@kernel
def across(gradient: Floats, row: Floats, length: np.float32) -> None:
    """Turn the gradient (H,) of a row stretched to this length into that of the row itself (H,), in its
    place: length / |row| times what of it is across the row.

    Twin: automatic differentiation, tests/kernels/test_cosines.py::test_gradients_pass_through_a_direction.
    """
    square, along = np.float32(0), np.float32(0)
    for j in range(len(row)):
        square += row[j] * row[j]
        along += row[j] * gradient[j]
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
