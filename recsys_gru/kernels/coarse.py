"""Nearly the scores of one hidden state over all items, from a copy of the item table a quarter its size.

Who may be among the best is told by the copy, to a known error; those few are then scored exactly, so the
answer is the exact one. The time of an answer over a large catalogue is that of reading the table.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.prefetch import prefetch
from recsys_gru.kernels.machine.simd import TALL, product_piece

STEPS = 127
"""A row's largest number, in the steps of its copy."""
OFFSET = 128
"""What is added to a state's whole steps, where products take these without a sign."""
FILL = 64
"""The copy's rows come in multiples of this many bytes."""
AHEAD = 80
"""Rows between the one at work and the one whose first cache line is asked for; the processor fetches on from
there."""


class Coarse(NamedTuple):
    """A table (N, H) in whole steps: row i is about scales[i] * rows[i]."""

    rows: NDArray[np.int8]
    """(N, W), filled up with zeros."""
    scales: Floats
    """(N,)"""
    offsets: NDArray[np.int32]
    """(N,) of the rows' numbers, times OFFSET."""
    residual: float
    """Largest distance between a row and what stands for it."""
    longest: float
    """Largest norm of a row."""
    heaviest: float
    """Largest size of an item's bias."""


def coarse_of(table: Floats, bias: Floats, rows: NDArray[np.int8] | None = None) -> Coarse | None:
    """Return the copy of a table (N, H), whose items have biases (N,), in the memory of these `rows` (N, W)
    where they are given; None where a number is not finite."""
    if rows is None:
        rows = np.empty((len(table), width_of(table)), np.int8)
    scales, offsets = np.empty(len(table), np.float32), np.empty(len(table), np.int32)
    residual, longest = fill_copy(table, rows, scales, offsets)
    if not np.isfinite(longest):
        return None
    heaviest = float(np.abs(bias).max(initial=0))
    return Coarse(rows, scales, offsets, float(residual) ** 0.5, float(longest) ** 0.5, heaviest)


def width_of(table: Floats) -> int:
    """Columns W of the copy of a table (N, H)."""
    return -(-int(table.shape[1]) // FILL) * FILL


def coarse_scores(coarse: Coarse, bias: Floats, hidden: Floats) -> tuple[Floats, float]:
    """Scores (N,) of a hidden state (H,) with biases (N,), and how far off the exact ones they may be.

    What the copy leaves out of a row moves its score by at most the norms of that and of the hidden state,
    multiplied. The rest is rounding: a sum of n products in any order, fused or not, is within
    n u / (1 - n u) of the sum of their sizes (Higham 2002, section 3.1), u the unit roundoff; here that sum
    is at most the norms of row and hidden, multiplied, plus the size of the bias. That is doubled, for both
    ways to sum err, and doubled again for the rounding of the bound itself.
    """
    scores, terms = np.empty(len(coarse.rows), np.float32), coarse.rows.shape[1] + 2
    filled = np.zeros(coarse.rows.shape[1], np.float32)
    filled[: len(hidden)] = hidden
    dot_rows(coarse.rows, coarse.scales, bias, filled, scores)
    norm = float(np.linalg.norm(hidden.astype(np.float64)))
    size = (coarse.longest + coarse.residual) * norm + coarse.heaviest
    return scores, 1.001 * coarse.residual * norm + rounding(terms, size, norm)


@kernel
def rounding(terms: int, size: float, norm: float) -> float:
    """How far rounding takes two sums of so many terms apart, for a state of some norm; `size` is what the
    sizes of the terms add up to at most. See `coarse_scores`.

    Twin: NumPy in double, tests/kernels/test_shortlists.py::test_coarse_scores_are_within_their_errors.
    """
    roundoff, underflow = terms * 2.0**-24, terms * float(np.finfo(np.float32).tiny)
    return 4 * (roundoff / (1 - roundoff) * size + underflow * (1 + norm))


@kernel
def exact_scores(table: Floats, bias: Floats, hidden: Floats, items: NDArray[np.int32]) -> Floats:
    """Return the scores (T,) of any items, hidden . table_j + bias_j, summed from the bias on in the order of
    the table's columns: to the bit those of `products.scores_of`.

    Twin: NumPy, tests/kernels/test_coarse.py::test_exact_scores_are_those_of_a_product.
    """
    scores = np.empty((len(items), 1), np.float32)
    rows, start = np.empty((TALL, table.shape[1]), np.float32), np.empty(TALL, np.float32)
    column = hidden.reshape(-1, 1)
    for first in range(0, len(items), TALL):
        count = min(TALL, len(items) - first)
        for i in range(count):
            start[i] = bias[items[first + i]]
            rows[i] = table[items[first + i]]
        product_piece(rows[:count], column, scores[first : first + count], (0, 0), start, False, 1, TALL)
    return scores[:, 0]


@kernel
def fill_copy(
    table: Floats, rows: NDArray[np.int8], scales: Floats, offsets: NDArray[np.int32]
) -> tuple[np.float64, np.float64]:
    """Round each row of a table (N, H) to whole steps, STEPS of which make its largest number; return the
    largest squared distance of a row from its copy, and the largest squared norm of a row.

    Loops over a row do one thing each, which vector registers can.

    Twin: NumPy, tests/kernels/test_coarse.py::test_a_row_is_rounded_to_whole_steps.
    """
    residual, longest = np.float64(0), np.float64(0)
    most = np.float32(STEPS)
    for i in range(len(table)):
        row, steps = table[i], rows[i]
        top, norm, left, total = np.float32(0), np.float64(0), np.float64(0), np.int32(0)
        for j in range(len(row)):
            top = max(top, abs(row[j]))
        for j in range(len(row)):
            norm += np.float64(row[j]) * np.float64(row[j])
        if not norm < np.inf:  # NaN too; older compilers take isfinite for true of it
            return np.float64(np.inf), np.float64(np.inf)
        scale = top / most
        scales[i] = scale
        steps[:] = 0
        if scale > 0:
            for j in range(len(row)):
                steps[j] = np.int8(min(max(np.rint(row[j] / scale), -most), most))
        for j in range(len(row)):
            distance = np.float64(row[j]) - np.float64(scale) * np.float64(steps[j])
            left += distance * distance
            total += np.int32(steps[j])
        offsets[i] = np.int32(OFFSET) * total
        residual, longest = max(residual, left), max(longest, norm)
    return residual, longest


@kernel
def dot_rows(rows: NDArray[np.int8], scales: Floats, bias: Floats, hidden: Floats, scores: Floats) -> None:
    """Set the scores (N,) to scales_i * rows_i . hidden + bias_i, for a hidden state (W,).

    Twin: NumPy in double, tests/kernels/test_coarse.py::test_rough_scores_are_the_product_of_the_copy.
    """
    for i in range(len(rows)):
        prefetch(rows, min(i + AHEAD, len(rows) - 1), 0)
        row, total = rows[i], np.float32(0)
        for j in range(len(row)):
            total += np.float32(row[j]) * hidden[j]
        scores[i] = total * scales[i] + bias[i]
