"""Loops over the rows that a step picks from the item tables.

Those of a chunk come TALL at a time, while the next TALL are on their way.
"""

import numpy as np

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import across, set_length, summed
from recsys_gru.kernels.machine.jit import in_order, kernel
from recsys_gru.kernels.machine.prefetch import prefetch
from recsys_gru.kernels.machine.simd import TALL
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import CHUNK, product, transposed

Rates = tuple[np.float32, np.float32, np.float32]
"""Of Adagrad: the learning rate, momentum and eps."""
Memory = tuple[Floats, Floats, Floats]
"""Of Adagrad: weights w, sums acc and velocity v, of one shape; v is left alone if there is no momentum."""
Factors = tuple[Floats, Floats, Items, Floats, np.float32]
"""Of a gradient: delta (U, P), operand (P, D), places of inputs (Q,), what they add (Q, D), and the length
that rows had when they were scored, 0 for their own."""
LINE = 16
"""Single-precision numbers in a cache line."""


@kernel
def _ask(table: Floats, rows: Items, first: int, last: int) -> None:
    """Ask for rows first to last of those named, without waiting for them."""
    for i in range(first, min(last, len(rows))):
        for j in range(0, table.shape[1], LINE):
            prefetch(table, rows[i], j)


@kernel
def _copy(table: Floats, rows: Items, first: int, last: int, out: Floats) -> None:
    for i in range(first, last):
        row, copy = table[rows[i]], out[i]
        for j in range(len(copy)):
            copy[j] = row[j]


@kernel
def take(table: Floats, rows: Items, out: Floats) -> None:
    """Copy the named rows (R,) of a table (N, D) into `out` (R, D): table[rows].

    Twin: torch's indexing, tests/model/test_rows.py::test_rows_are_taken_as_indexing_takes_them.
    """
    for first in range(0, len(rows), TALL):
        _ask(table, rows, first + TALL, first + 2 * TALL)
        _copy(table, rows, first, min(first + TALL, len(rows)), out)


@kernel
def _score_part(state: tuple[Floats, Floats, Items, Floats, Floats, Floats, np.float32], part: int) -> None:
    table, bias, rows, turned, taken, scores, length = state
    begin = part * CHUNK
    end = min(begin + CHUNK, len(rows))
    start = np.empty(end - begin, np.float32)
    for i in range(begin, end):
        start[i - begin] = bias[rows[i]]
    _ask(table, rows, begin, begin + TALL)
    for first in range(begin, end, TALL):
        last = min(first + TALL, end)
        _copy(table, rows, first, last, taken)
        _ask(table, rows, last, last + TALL)
        if length > 0:
            for i in range(first, last):
                set_length(taken[i], length)
        for i in range(last, min(last + TALL, end)):
            for j in range(0, taken.shape[1], LINE):
                prefetch(taken, i, j)
        product(taken[first:last], turned, scores[first:last], start[first - begin : last - begin])


@kernel
def score(
    source: tuple[Floats, Floats, Items],
    x: Floats,
    place: tuple[Floats, Floats],
    length: np.float32,
    threads: int,
) -> None:
    """Score the named rows of a table for x (P, D): table[rows] @ x^T + their biases.

    `source` is the table (N, D), the biases (N,) and the rows (R,); `place` receives a copy of the rows (R,
    D), stretched to `length` unless that is 0, and the scores of this copy (R, P).

    Twin: torch's product, tests/model/test_rows.py::test_picked_rows_are_scored_with_their_biases.
    """
    (table, bias, rows), (taken, scores) = source, place
    state = (table, bias, rows, transposed(x), taken, scores, length)
    share_out(_score_part, state, -(-len(rows) // CHUNK), threads)


@kernel
def _score_all_part(state: tuple[Floats, Floats, Floats, Floats], part: int) -> None:
    table, bias, turned, scores = state
    begin, end = part * CHUNK, min(part * CHUNK + CHUNK, len(table))
    product(table[begin:end], turned, scores[begin:end], bias[begin:end])


@kernel
def score_all(table: Floats, bias: Floats, x: Floats, scores: Floats, threads: int) -> None:
    """As `score` for all rows of a table (U, D), which are read where they lie.

    Twin: `score`, tests/kernels/test_rows.py::test_rows_are_scored_where_they_lie_as_in_a_copy.
    """
    share_out(_score_all_part, (table, bias, transposed(x), scores), -(-len(table) // CHUNK), threads)


@in_order
def _adagrad(memory: Memory, rows: Items, gradient: Floats, rates: Rates) -> None:
    """acc += g^2; v = momentum v - rate g / sqrt(acc + eps); w += v, in one pass and on the named rows of the
    memory (N, D) only, for a gradient (R, D)."""
    weights, sums, velocity = memory
    rate, momentum, eps = rates
    for i in range(len(rows)):
        w, acc, g = weights[rows[i]], sums[rows[i]], gradient[i]
        if momentum > 0:
            v = velocity[rows[i]]
            for j in range(len(w)):
                acc[j] += g[j] * g[j]
                v[j] = momentum * v[j] - rate * g[j] / np.sqrt(acc[j] + eps)
                w[j] += v[j]
        else:
            for j in range(len(w)):
                acc[j] += g[j] * g[j]
                w[j] -= rate * g[j] / np.sqrt(acc[j] + eps)


@kernel
def _ask_memory(memory: Memory, rows: Items, first: int, last: int, momentum: np.float32) -> None:
    _ask(memory[0], rows, first, last)
    _ask(memory[1], rows, first, last)
    if momentum > 0:
        _ask(memory[2], rows, first, last)


@kernel
def _adagrad_part(state: tuple[Memory, Memory, Items, Factors, Rates], part: int) -> None:
    memory, bias, rows, (delta, operand, at, added, length), rates = state
    width = operand.shape[1]
    begin = part * CHUNK
    end = min(begin + CHUNK, len(rows))
    looked_up = np.flatnonzero((at >= begin) & (at < end))

    gradient, zeros = np.empty((TALL, width), np.float32), np.zeros(TALL, np.float32)
    _ask_memory(memory, rows, begin, begin + TALL, rates[1])
    for first in range(begin, end, TALL):
        last = min(first + TALL, end)
        _ask_memory(memory, rows, last, last + TALL, rates[1])
        scored = delta[first:last]
        product(scored, operand, gradient[: len(scored)], zeros)
        if length > 0:
            for i in range(len(scored)):
                across(gradient[i], memory[0][rows[first + i]], length)
        gradient[len(scored) :] = 0
        for p in looked_up:
            if first <= at[p] < last:
                row, more = gradient[at[p] - first], added[p]
                for j in range(width):
                    row[j] += more[j]
        _adagrad(memory, rows[first:last], gradient, rates)
    if len(bias[0]) > 0:
        _adagrad_bias(bias, rows[begin:end], delta[begin:end], rates)


@kernel
def _adagrad_bias(bias: Memory, rows: Items, delta: Floats, rates: Rates) -> None:
    """Apply Adagrad to the numbers of the first rows, whose gradients are the sums of the rows of delta (U,
    P)."""
    taken = np.empty((4, len(delta)), np.float32)  # w, acc, v, gradient
    for i in range(len(delta)):
        taken[0, i], taken[1, i], taken[2, i] = bias[0][rows[i]], bias[1][rows[i]], bias[2][rows[i]]
        taken[3, i] = summed(delta[i])
    memory = (taken[0:1], taken[1:2], taken[2:3])
    _adagrad(memory, np.zeros(1, np.int64), taken[3:4], rates)
    for i in range(len(delta)):
        bias[0][rows[i]], bias[1][rows[i]] = taken[0, i], taken[1, i]
        if rates[1] > 0:  # else there is no velocity
            bias[2][rows[i]] = taken[2, i]


@kernel
def adagrad_by_factors(
    memory: Memory, bias: Memory, rows: Items, factors: Factors, rates: Rates, threads: int
) -> None:
    """Apply `model.optimisers.Adagrad` to the named rows (R,), distinct, with the gradient that
    `model.rows.RowGradient` has of these factors, and to their biases, each (N,) or empty.

    The gradient is made for a few rows at a time and used up while in the cache, and the rows arrive
    meanwhile.

    Twin: one number at a time, tests/kernels/test_rows.py::test_adagrad_is_its_formula_on_each_number.
    """
    share_out(_adagrad_part, (memory, bias, rows, factors, rates), -(-len(rows) // CHUNK), threads)


@kernel
def _rows_part(state: tuple[Memory, Items, Floats, Rates], part: int) -> None:
    memory, rows, gradient, rates = state
    begin = part * CHUNK
    end = min(begin + CHUNK, len(rows))
    _ask_memory(memory, rows, begin, begin + TALL, rates[1])
    for first in range(begin, end, TALL):
        last = min(first + TALL, end)
        _ask_memory(memory, rows, last, last + TALL, rates[1])
        _adagrad(memory, rows[first:last], gradient[first:last], rates)


@kernel
def adagrad_of_rows(memory: Memory, rows: Items, gradient: Floats, rates: Rates, threads: int) -> None:
    """Apply `model.optimisers.Adagrad` to the named rows (R,), distinct, of a memory (N, D), with a gradient
    (R, D) that is no product of factors.

    Twin: `adagrad_by_factors`, tests/kernels/test_rows.py::test_a_gradient_and_its_factors_move_rows_alike.
    """
    share_out(_rows_part, (memory, rows, gradient, rates), -(-len(rows) // CHUNK), threads)
