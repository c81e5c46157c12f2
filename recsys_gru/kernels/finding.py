"""Which coarse scores are above a limit: sixteen states side by side, or sixteen items of a single state."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.bytes import LANES, TALL, byte_piece, byte_rows
from recsys_gru.kernels.machine.jit import kernel

Factors = tuple[NDArray[np.int32], Floats, Floats]
"""Of each row of the coarse copy what OFFSET adds to a product with it, its scale, and its item's bias."""
Lanes = tuple[NDArray[np.uint8], Floats, Floats]
"""Of LANES states the columns (D, LANES, 4), steps (LANES,) and limits (LANES,)."""
Alone = tuple[NDArray[np.uint8], np.float32, np.float32]
"""Of one state the steps and OFFSET (W,), as many as a row of the copy has, the step and the limit."""


@kernel
def byte_scores(
    rows: NDArray[np.int8],
    factors: Factors,
    at: int,
    lanes: Lanes,
    out: Floats,
    above: NDArray[np.int32],
) -> int:
    """Set out (TALL, LANES) to the coarse scores of the items from `at` on, minus infinity beyond the last
    one, and above (TALL,) to a bit for each state that such a score is above the limit of; return all bits
    together.

    Twin: NumPy in double, tests/kernels/test_shortlists.py::test_coarse_scores_are_within_their_errors.
    """
    columns, steps, limits = lanes
    left = len(rows) - at
    if left >= TALL:
        return byte_piece(rows, columns, steps, factors, at, limits, out, above)
    few, more = _filled(rows, factors, at, TALL)
    return byte_piece(few, columns, steps, more, 0, limits, out, above)


@kernel
def found_beside(
    rows: NDArray[np.int8],
    factors: Factors,
    span: tuple[int, int, int],
    lanes: Lanes,
    found: tuple[Items, Floats],
) -> int:
    """Write down the pairs of item and state (F, 2) with scores (F,) above the limit, of the items from
    span[0] to span[1] and the states from span[2] on; return how many.

    No call within the loop but `byte_piece`: numba counts references to the arrays that a call is given,
    which takes longer than the products.

    Twin: comparisons, tests/kernels/test_shortlists.py::test_what_is_found_is_what_is_above_the_limits.
    """
    columns, steps, limits = lanes
    pairs, scores = found
    out, above = np.empty((TALL, LANES), np.float32), np.empty(TALL, np.int32)
    count, last = 0, span[1]
    for at in range(span[0], last, TALL):
        if at + TALL <= last:
            hits = byte_piece(rows, columns, steps, factors, at, limits, out, above)
        else:
            hits = byte_scores(rows[:last], factors, at, lanes, out, above)
        for i in range(TALL if hits else 0):
            bits, lane = above[i], 0
            while bits:
                pairs[count, 0], pairs[count, 1], scores[count] = at + i, span[2] + lane, out[i, lane]
                count += bits & 1
                bits, lane = bits >> 1, lane + 1
    return count


@kernel
def found_alone(
    rows: NDArray[np.int8],
    factors: Factors,
    span: tuple[int, int, int],
    alone: Alone,
    found: tuple[Items, Floats],
) -> int:
    """The same as `found_beside` for the single state span[2].

    Twin: comparisons, tests/kernels/test_shortlists.py::test_what_is_found_is_what_is_above_the_limits.
    """
    state, step, limit = alone
    pairs, scores = found
    out, count = np.empty(LANES, np.float32), 0
    for at in range(span[0], span[1], LANES):
        if at + LANES <= span[1]:
            bits, place = byte_rows(rows, state, step, factors, at, limit, out), 0
        else:
            bits, place = row_scores(rows[: span[1]], factors, at, alone, out), 0
        while bits:
            pairs[count, 0], pairs[count, 1], scores[count] = at + place, span[2], out[place]
            count += bits & 1
            bits, place = bits >> 1, place + 1
    return count


@kernel
def row_scores(rows: NDArray[np.int8], factors: Factors, at: int, alone: Alone, out: Floats) -> int:
    """Set out (LANES,) to the coarse scores of one state with the items from `at` on, minus infinity beyond
    the last one; return a bit for each that is above the limit.

    Twin: NumPy in double, tests/kernels/test_shortlists.py::test_coarse_scores_are_within_their_errors.
    """
    state, step, limit = alone
    left = len(rows) - at
    if left >= LANES:
        return byte_rows(rows, state, step, factors, at, limit, out)
    few, more = _filled(rows, factors, at, LANES)
    return byte_rows(few, state, step, more, 0, limit, out)


@kernel
def _filled(rows: NDArray[np.int8], factors: Factors, at: int, size: int) -> tuple[NDArray[np.int8], Factors]:
    """The rows from `at` on, and others behind them that no score is above."""
    left = len(rows) - at
    few, less = np.zeros((size, rows.shape[1]), np.int8), np.zeros(size, np.int32)
    scales, starts = np.zeros(size, np.float32), np.full(size, np.float32(-np.inf), np.float32)
    few[:left], less[:left] = rows[at:], factors[0][at : len(rows)]
    scales[:left], starts[:left] = factors[1][at : len(rows)], factors[2][at : len(rows)]
    return few, (less, scales, starts)
