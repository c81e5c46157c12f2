"""Rows of items with what is known of them added, and learning both."""

from typing import NamedTuple

import numpy as np

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import across, summed
from recsys_gru.kernels.machine.jit import in_order, kernel
from recsys_gru.kernels.machine.prefetch import prefetch
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import CHUNK, product
from recsys_gru.kernels.rows import LINE, Factors, Memory, Rates, adagrad_of_rows, take
from recsys_gru.kernels.terms import Facts, add_facts, add_gradients, sums_of_labels

AHEAD = 32
"""Rows that arrive while others are composed."""


class Known(NamedTuple):
    """Facts, and what they add to rows with its Adagrad memory; no offsets where nothing is known."""

    facts: Facts
    labels: Memory
    """(L, D)"""
    projection: Memory
    """(V, D)"""


@in_order
def _add_row(row: Floats, out: Floats) -> None:
    for j in range(len(out)):
        out[j] += row[j]


@kernel
def _ask_facts(facts: Facts, items: Items) -> None:
    """Ask for the facts of some items, without waiting for them."""
    begins, labels, weights, numbers = facts
    of_labels, of_weights = labels.reshape(-1, 1), weights.reshape(-1, 1)
    for i in range(len(items)):
        prefetch(of_labels, begins[items[i]], 0)
        prefetch(of_weights, begins[items[i]], 0)
        prefetch(numbers, items[i], 0)


@kernel
def _compose_part(
    state: tuple[Floats, Items, Floats, Facts, tuple[Floats, Floats], Floats], part: int
) -> None:
    own, items, kept, facts, added, out = state
    end = min(part * CHUNK + CHUNK, len(items))
    for first in range(part * CHUNK, end, AHEAD):
        last = min(first + AHEAD, end)
        _ask_facts(facts, items[last + AHEAD : last + 2 * AHEAD])
        for i in range(last, min(last + AHEAD, len(items))):
            for j in range(0, out.shape[1], LINE):
                prefetch(own, items[i], j)
                prefetch(out, i, j)
        take(own, items[first:last], out[first:last])
        for i in range(first, last):
            if len(kept) > 0 and kept[i] == 0:
                out[i] = 0
        add_facts(facts, items[first:last], added, out[first:last])


@kernel
def compose(
    own: Floats,
    picked: tuple[Items, Floats],
    facts: Facts,
    added: tuple[Floats, Floats],
    out: Floats,
    threads: int,
) -> None:
    """Set out (R, D) to the own rows of some items (R,) of a table (N, D), with the rows that their facts (of
    N items) add: of labels (L, D), and of numbers by a projection (V, D). Beside the items it is told which
    of them are to be kept (R,), all if empty: where there is a zero, the own row is left out.

    Twin: dense matrices, tests/kernels/test_facts.py::test_a_row_is_its_own_and_its_facts.
    """
    _ask_facts(facts, picked[0][: 2 * AHEAD])
    state = (own, picked[0], picked[1], facts, added, out)
    share_out(_compose_part, state, -(-len(out) // CHUNK), threads)


@kernel
def _fill_gradients(rows: Floats, factors: Factors, out: Floats, begin: int) -> None:
    """Set out (R, D) to the gradient of so many rows from `begin` on."""
    delta, operand, at, added, length = factors
    end, start = begin + len(out), np.zeros(CHUNK, np.float32)
    scored = delta[begin:end]
    product(scored, operand, out[: len(scored)], start)
    if length > 0:
        for i in range(len(scored)):
            across(out[i], rows[begin + i], length)
    for i in range(len(scored), len(out)):
        out[i] = 0
    for p in range(len(at)):
        if begin <= at[p] < end:
            _add_row(added[p], out[at[p] - begin])


@kernel
def _gradient_part(state: tuple[Floats, Factors, Floats], part: int) -> None:
    rows, factors, out = state
    _fill_gradients(rows, factors, out[part * CHUNK : part * CHUNK + CHUNK], part * CHUNK)


@kernel
def row_gradients(rows: Floats, factors: Factors, out: Floats, threads: int) -> None:
    """Set out (R, D) to the gradient that `model.rows.RowGradient` has of these factors, of rows (R, D).

    Twin: `RowGradient.of_rows`, tests/kernels/test_facts.py::test_gradients_of_rows_are_those_of_torch.
    """
    share_out(_gradient_part, (rows, factors, out), -(-len(rows) // CHUNK), threads)


@kernel
def bias_gradients(delta: Floats) -> Floats:
    """The gradients of biases (U, 1): the sums of the rows of delta (U, P).

    Twin: NumPy, tests/kernels/test_facts.py::test_gradients_of_biases_are_sums.
    """
    out = np.empty((len(delta), 1), np.float32)
    for i in range(len(delta)):
        out[i, 0] = summed(delta[i])
    return out


@kernel
def _learn_part(state: tuple[Memory, Items, Floats, Floats, Factors, Floats, int, Rates], part: int) -> None:
    """Fill the gradients of some rows, and learn the own ones while these are in the cache."""
    own, items, kept, rows, factors, gradient, first, rates = state
    mine = gradient[part * CHUNK : part * CHUNK + CHUNK]
    begin = first + part * CHUNK
    _fill_gradients(rows, factors, mine, begin)
    if len(kept) > 0:
        mine = mine.copy()
        for i in range(len(mine)):
            if kept[begin + i] == 0:
                mine[i] = 0
    adagrad_of_rows(own, items[begin : begin + len(mine)], mine, rates, 1)


@kernel
def learn_with_facts(
    memories: tuple[Memory, Memory],
    known: Known,
    near: tuple[Floats, Items, Floats],
    factors: Factors,
    rates: Rates,
    threads: int,
) -> None:
    """Apply Adagrad to the own rows and the biases of the items of a window, and to what their facts add.

    `near` are these rows with their facts, (R, D), that the factors of the gradient belong to, the items'
    numbers (R,), and which own rows were kept (R,), all if empty.

    Twin: NumPy in double, tests/kernels/test_facts.py::test_own_rows_biases_labels_and_projection_learn.
    """
    (own, bias), (rows, items, kept), (facts, labels, projection) = memories, near, known
    every = rates[1] == 0  # without momentum a gradient of zeros moves nothing
    found = sums_of_labels(facts, items, len(labels[0]), rows.shape[1], every)
    at_once = CHUNK if threads == 1 else len(rows)  # few gradients at a time stay in the cache
    gradient, of_numbers = np.empty((at_once, rows.shape[1]), np.float32), np.zeros_like(projection[0])
    for begin in range(0, len(rows), at_once):
        some, mine = items[begin : begin + at_once], gradient[: len(rows) - begin]
        _ask_facts(facts, some)
        state = own, items, kept, rows, factors, mine, begin, rates
        share_out(_learn_part, state, -(-len(some) // CHUNK), threads)
        add_gradients(facts, some, mine, (found, of_numbers), threads)
    column = (bias[0].reshape(-1, 1), bias[1].reshape(-1, 1), bias[2].reshape(-1, 1))
    adagrad_of_rows(column, items[: len(factors[0])], bias_gradients(factors[0]), rates, 1)
    adagrad_of_rows(labels, found[1][: found[2][0]], found[3], rates, threads)
    adagrad_of_rows(projection, np.arange(len(of_numbers)), of_numbers, rates, threads)
