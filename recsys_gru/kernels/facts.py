"""Rows of items with what is known of them added, and the way of their gradients back into what was added.

Sums are added up as they are written: the same bits in whatever loop these are compiled into.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import across
from recsys_gru.kernels.machine.jit import in_order, kernel
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import CHUNK, product, transposed
from recsys_gru.kernels.rows import Factors, Memory, Rates, adagrad_by_factors

Facts = tuple[Items, NDArray[np.int32], Floats, Floats]
"""Of N items: where the labels of each begin (N + 1,), labels and their weights (nnz,), numbers (N, V)."""
COLUMNS = 32
"""Columns of a gradient that make a part of the work."""


class Known(NamedTuple):
    """Facts, and what they add to rows with its Adagrad memory; no offsets where nothing is known."""

    facts: Facts
    labels: Memory
    """(L, D)"""
    projection: Memory
    """(V, D)"""


@in_order
def _add_labels(facts: Facts, item: int, table: Floats, row: Floats) -> None:
    offsets, labels, weights = facts[0], facts[1], facts[2]
    for f in range(offsets[item], offsets[item + 1]):
        label, weight = table[labels[f]], weights[f]
        for j in range(len(row)):
            row[j] += weight * label[j]


@in_order
def _add_row(row: Floats, out: Floats) -> None:
    for j in range(len(out)):
        out[j] += row[j]


@kernel
def _compose_part(state: tuple[Floats, Facts, Items, Floats, Floats, Floats], part: int) -> None:
    own, facts, items, labels, projection, out = state
    begin, width = part * CHUNK, len(projection)
    end = min(begin + CHUNK, len(items))
    if width > 0:
        numbers, start = np.empty((end - begin, width), np.float32), np.zeros(end - begin, np.float32)
        for i in range(begin, end):
            numbers[i - begin] = facts[3][items[i]]
        product(numbers, projection, out[begin:end], start)
    else:
        out[begin:end] = 0
    for i in range(begin, end):
        _add_row(own[items[i]], out[i])
        _add_labels(facts, items[i], labels, out[i])


@kernel
def compose(
    own: Floats, facts: Facts, items: Items, added: tuple[Floats, Floats], out: Floats, threads: int
) -> None:
    """Set out (R, D) to the own rows of some items of a table (N, D), with their facts' rows added: of labels
    (L, D), and of numbers by a projection (V, D).

    Twin: dense matrices, tests/kernels/test_facts.py::test_a_row_is_its_own_and_its_facts.
    """
    share_out(_compose_part, (own, facts, items, *added, out), -(-len(items) // CHUNK), threads)


@kernel
def _gradient_part(state: tuple[Floats, Factors, Floats], part: int) -> None:
    rows, (delta, operand, at, added, length), out = state
    begin = part * CHUNK
    end = min(begin + CHUNK, len(rows))
    scored, start = delta[begin:end], np.zeros(CHUNK, np.float32)
    product(scored, operand, out[begin : begin + len(scored)], start)
    if length > 0:
        for i in range(len(scored)):
            across(out[begin + i], rows[begin + i], length)
    for i in range(begin + len(scored), end):
        out[i] = 0
    for p in range(len(at)):
        if begin <= at[p] < end:
            _add_row(added[p], out[at[p]])


@kernel
def row_gradients(rows: Floats, factors: Factors, out: Floats, threads: int) -> None:
    """Set out (R, D) to the gradient that `model.rows.RowGradient` has of these factors, of rows (R, D).

    Twin: `RowGradient.of_rows`, tests/kernels/test_facts.py::test_gradients_of_rows_are_those_of_torch.
    """
    share_out(_gradient_part, (rows, factors, out), -(-len(rows) // CHUNK), threads)


@in_order
def _add_part(state: tuple[Facts, Items, Items, Floats, Floats], part: int) -> None:
    facts, items, places, gradient, out = state
    begin, at = part * COLUMNS, 0
    end = min(begin + COLUMNS, gradient.shape[1])
    for i in range(len(items)):
        row = gradient[i, begin:end]
        for f in range(facts[0][items[i]], facts[0][items[i] + 1]):
            sums, weight = out[places[at], begin:end], facts[2][f]
            at += 1
            for j in range(len(row)):
                sums[j] += weight * row[j]


@kernel
def label_gradients(
    facts: Facts, items: Items, n_labels: int, gradient: Floats, threads: int
) -> tuple[Items, Floats]:
    """Return the distinct labels (T,) of some items by first appearance, and their gradients (T, D), given
    those of the items' rows (R, D).

    Twin: dense matrices, tests/kernels/test_facts.py::test_gradients_flow_into_labels.
    """
    offsets, labels = facts[0], facts[1]
    count, at, used = 0, 0, 0
    for i in range(len(items)):
        count += offsets[items[i] + 1] - offsets[items[i]]
    slots, places = np.full(n_labels, -1, np.int64), np.empty(count, np.int64)
    found = np.empty(min(count, n_labels), np.int64)
    for i in range(len(items)):
        for f in range(offsets[items[i]], offsets[items[i] + 1]):
            if slots[labels[f]] < 0:
                slots[labels[f]] = used
                found[used] = labels[f]
                used += 1
            places[at] = slots[labels[f]]
            at += 1
    out = np.zeros((used, gradient.shape[1]), np.float32)
    share_out(_add_part, (facts, items, places, gradient, out), -(-gradient.shape[1] // COLUMNS), threads)
    return found[:used], out


@kernel
def learn_with_facts(
    memories: tuple[Memory, Memory],
    known: Known,
    near: tuple[Floats, Items],
    factors: Factors,
    rates: Rates,
    threads: int,
) -> None:
    """Apply Adagrad to the own rows and the biases of the items of a window, and to what their facts add.

    `near` are these rows with their facts, (R, D), that the factors of the gradient belong to, and the items'
    numbers (R,).

    Twin: NumPy in double, tests/kernels/test_facts.py::test_own_rows_biases_labels_and_projection_learn.
    """
    (own, bias), (rows, items), (facts, labels, projection) = memories, near, known
    gradient = np.empty_like(rows)
    row_gradients(rows, factors, gradient, threads)
    _apply_rows(own, items, gradient, rates, threads)
    delta, ones = factors[0], np.ones((factors[0].shape[1], 1), np.float32)
    column = (bias[0].reshape(-1, 1), bias[1].reshape(-1, 1), bias[2].reshape(-1, 1))
    _apply(column, items[: len(delta)], (delta, ones), rates, threads)
    if len(labels[0]) > 0:
        distinct, sums = label_gradients(facts, items, len(labels[0]), gradient, threads)
        _apply_rows(labels, distinct, sums, rates, threads)
    if len(projection[0]) > 0:
        numbers = np.empty((len(items), len(projection[0])), np.float32)
        for i in range(len(items)):
            numbers[i] = facts[3][items[i]]
        _apply(projection, np.arange(len(projection[0])), (transposed(numbers), gradient), rates, threads)


@kernel
def _apply(memory: Memory, rows: Items, factors: tuple[Floats, Floats], rates: Rates, threads: int) -> None:
    """Adagrad of the named rows, whose gradient is delta (R, P) operand (P, D)."""
    nowhere, nothing = np.empty(0, np.int64), factors[1][:0]
    none = np.empty(0, np.float32)
    whole = (factors[0], factors[1], nowhere, nothing, np.float32(0))
    adagrad_by_factors(memory, (none, none, none), rows, whole, rates, threads)


@kernel
def _apply_rows(memory: Memory, rows: Items, gradient: Floats, rates: Rates, threads: int) -> None:
    """Adagrad of the named rows (R,), whose gradient is this (R, D)."""
    nothing, none = np.empty((0, 0), np.float32), np.empty(0, np.float32)
    whole = (nothing, gradient[:0], np.arange(len(rows)), gradient, np.float32(0))
    adagrad_by_factors(memory, (none, none, none), rows, whole, rates, threads)
