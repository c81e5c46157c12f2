"""Nearly the scores of hidden states over all items, from the item table's coarse copy: for what is needed of
every item, as the sum under a softmax is, beside the exact scores of few.

Rows and states are whole steps, so the sums are exact in whatever order they are taken: a score has the same
bits for a state alone, among others, and on a processor without products of bytes.
"""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.coarse import Coarse
from recsys_gru.kernels.finding import Alone, Factors, Lanes
from recsys_gru.kernels.gru import halves_of_exp
from recsys_gru.kernels.losses import largest
from recsys_gru.kernels.machine.bytes import HAS_BYTES, LANES, TALL, byte_piece, byte_rows
from recsys_gru.kernels.machine.jit import in_order, kernel
from recsys_gru.kernels.shortlists import ALONE, byte_states

CHUNK = 512
"""Scores of a row that are raised together."""


def rough_scores(coarse: Coarse, bias: Floats, hidden: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """Scores (Q, N) of hidden states (Q, H) with biases (N,), and how far off the exact ones those of each
    may be (Q,); not finite where a state is not."""
    if HAS_BYTES and len(hidden) <= ALONE:
        return rough_few(coarse, bias, hidden)
    states, count = byte_states(coarse, hidden), len(hidden)
    rows, factors = coarse.rows, (coarse.offsets, coarse.scales, bias)
    scores, never = np.empty((count, len(rows)), np.float32), np.full(LANES, np.inf, np.float32)
    for first in range(0, count if HAS_BYTES else 0, LANES):
        part = slice(first, first + LANES)
        if count - first > ALONE:
            lanes = states.columns[first // LANES], states.steps[part], never
            score_beside(rows, factors, lanes, scores[part])
            continue
        for row in range(first, count):
            score_alone(rows, factors, (states.flat[row], states.steps[row], never[0]), scores[row])
    done = len(rows) // LANES * LANES * HAS_BYTES
    if done < len(rows):
        score_plainly(rows, factors, states.flat, states.steps, done, scores)
    return scores, states.errors


@kernel
def rough_few(coarse: Coarse, bias: Floats, hidden: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """The same as `rough_scores` for a few states, each by itself, in one call.

    Twin: whole numbers, tests/kernels/test_roughly.py::test_rough_scores_are_those_of_whole_steps.
    """
    states, rows, never = byte_states(coarse, hidden), coarse.rows, np.float32(np.inf)
    factors = coarse.offsets, coarse.scales, bias
    scores, done = np.empty((len(hidden), len(rows)), np.float32), len(rows) // LANES * LANES
    for row in range(len(hidden)):
        score_alone(rows, factors, (states.flat[row], states.steps[row], never), scores[row])
    score_plainly(rows, factors, states.flat, states.steps, done, scores)
    return scores, states.errors


@in_order
def score_alone(rows: NDArray[np.int8], factors: Factors, alone: Alone, scores: Floats) -> None:
    """Set the coarse scores (N,) of one state with as many items as LANES go into.

    Twin: whole numbers, tests/kernels/test_roughly.py::test_rough_scores_are_those_of_whole_steps.
    """
    state, step, limit = alone
    out = np.empty(LANES, np.float32)
    for at in range(0, len(rows) - LANES + 1, LANES):
        byte_rows(rows, state, step, factors, at, limit, out)
        for place in range(LANES):
            scores[at + place] = out[place]


@in_order
def score_beside(rows: NDArray[np.int8], factors: Factors, lanes: Lanes, scores: Floats) -> None:
    """Set the coarse scores (L, N) of up to LANES states with as many items as TALL goes into.

    Twin: whole numbers, tests/kernels/test_roughly.py::test_rough_scores_are_those_of_whole_steps.
    """
    columns, steps, limits = lanes
    out, above = np.empty((TALL, LANES), np.float32), np.empty(TALL, np.int32)
    for at in range(0, len(rows) - TALL + 1, TALL):
        byte_piece(rows, columns, steps, factors, at, limits, out, above)
        for lane in range(len(scores)):
            for place in range(TALL):
                scores[lane, at + place] = out[place, lane]


@in_order
def score_plainly(
    rows: NDArray[np.int8],
    factors: Factors,
    states: NDArray[np.uint8],
    steps: Floats,
    first: int,
    scores: Floats,
) -> None:
    """Set the coarse scores (Q, N) of states (Q, W) with the items from `first` on, without instructions for
    bytes.

    Twin: whole numbers, tests/kernels/test_roughly.py::test_rough_scores_are_those_of_whole_steps.
    """
    offsets, scales, starts = factors
    for at in range(first, len(rows)):
        row = rows[at]
        for q in range(len(scores)):
            total = np.int32(0)
            for j in range(len(row)):
                total += np.int32(row[j]) * np.int32(states[q, j])
            whole = np.float32(np.int32(total - offsets[at]))
            scores[q, at] = whole * (scales[at] * steps[q]) + starts[at]


@kernel
def raise_rows(scores: Floats, temperature: np.float32, tops: Floats, sums: Floats) -> None:
    """Set the scores (Q, N), N > 0, to e^((score - top) / temperature), 1 for the largest of a row, and tell
    each row's top (Q,) and the sum of these (Q,).

    A chunk stays in the cache while it is raised and summed; the sums of chunks are added in double.

    Twin: NumPy in double, tests/kernels/test_roughly.py::test_raised_rows_are_the_terms_of_a_softmax.
    """
    bits, factor = np.empty(CHUNK, np.int32), np.float32(1) / temperature
    powers = bits.view(np.float32)
    for q in range(len(scores)):
        top, total = largest(scores[q]), np.float64(0)
        for first in range(0, scores.shape[1], CHUNK):
            chunk, part = scores[q, first : first + CHUNK], np.float32(0)
            for j in range(len(chunk)):
                chunk[j] = (chunk[j] - top) * factor
            halves_of_exp(chunk, np.float32(0), bits)
            for j in range(len(chunk)):
                chunk[j] *= powers[j]
                part += chunk[j]
            total += part
        tops[q], sums[q] = top, total
