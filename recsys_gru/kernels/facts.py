"""Rows of items with what is known of them added, and the way of their gradients back into what was added.

Sums are added up as they are written: the same bits in whatever loop these are compiled into.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import across, summed
from recsys_gru.kernels.machine.jit import in_order, kernel
from recsys_gru.kernels.machine.prefetch import prefetch
from recsys_gru.kernels.machine.simd import WIDTH
from recsys_gru.kernels.machine.sparse import MOST, gather, scatter
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import CHUNK, add_product, product
from recsys_gru.kernels.rows import Factors, Memory, Rates, adagrad_of_rows, take

Facts = tuple[Items, NDArray[np.int32], Floats, Floats]
"""Of N items: where the labels of each begin (N + 1,), labels and their weights (nnz,), numbers (N, V)."""
NARROW = 8
"""Numbers of an item that are quicker added one by one than as a product."""


Numbered = tuple[NDArray[np.int32], Items, Items, Floats]
"""Of labels: the number of each (L,) by first appearance, -1 for none yet, which has which (M,), how
many have one (1,), and the sums of their gradients (M, D)."""


class Known(NamedTuple):
    """Facts, and what they add to rows with its Adagrad memory; no offsets where nothing is known."""

    facts: Facts
    labels: Memory
    """(L, D)"""
    projection: Memory
    """(V, D)"""


@kernel
def _panel(columns: int) -> int:
    """How many vectors of so many columns to take at a time, so that none is left over narrow."""
    vectors = -(-columns // WIDTH)
    return -(-vectors // -(-vectors // MOST))


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
def _compose_part(state: tuple[Floats, Items, Floats, Facts, Floats, Floats, Floats], part: int) -> None:
    own, items, kept, facts, labels, projection, out = state
    begin = part * CHUNK
    end = min(begin + CHUNK, len(items))
    begins, which, numbers, width = facts[0], (facts[1], facts[2]), facts[3], len(projection)
    rows, spans = out[begin:end], np.empty((end - begin, 2), np.int64)
    _ask_facts(facts, items[begin:end])
    take(own, items[begin:end], rows)
    for i in range(begin, end):
        spans[i - begin, 0], spans[i - begin, 1] = begins[items[i]], begins[items[i] + 1]
        if len(kept) > 0 and kept[i] == 0:
            out[i] = 0
    vectors = _panel(out.shape[1])
    for n in range(0, out.shape[1], vectors * WIDTH):
        gather(labels, which, spans, rows, n, min(vectors, -(-(out.shape[1] - n) // WIDTH)))
    if width <= NARROW:
        for i in range(begin, end):
            for v in range(width):
                x = numbers[items[i], v]
                for j in range(out.shape[1]):
                    out[i, j] += x * projection[v, j]
    if width > NARROW:
        taken, start = np.empty((end - begin, width), np.float32), np.zeros(end - begin, np.float32)
        take(numbers, items[begin:end], taken)
        added = np.empty((end - begin, out.shape[1]), np.float32)
        product(taken, projection, added, start)
        for i in range(begin, end):
            _add_row(added[i - begin], out[i])


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
    state = (own, picked[0], picked[1], facts, added[0], added[1], out)
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
def _width(columns: int, threads: int) -> int:
    """Columns of a thread."""
    return -(-columns // (threads * WIDTH)) * WIDTH


@kernel
def _added_part(
    state: tuple[Floats, tuple[NDArray[np.int32], Floats], Items, Floats, int], part: int
) -> None:
    """Add rows of a gradient to those of their labels, some columns of all: in the order of items, however
    many threads there are."""
    gradient, which, spans, sums, width = state
    begin, end = part * width, min(part * width + width, sums.shape[1])
    vectors = _panel(end - begin)
    for n in range(begin, end, vectors * WIDTH):
        scatter(gradient, which, spans, sums, n, min(vectors, -(-(end - n) // WIDTH)))


@kernel
def _add_to_labels(facts: Facts, items: Items, gradient: Floats, found: Numbered, threads: int) -> None:
    """Add the gradients of some items' rows (R, D) to those of their labels, and number the new ones."""
    begins, labels, weights, _ = facts
    slots, numbered, used, sums = found
    at, n, spans = 0, used[0], np.empty((len(items), 2), np.int64)
    for i in range(len(items)):
        spans[i, 0] = at
        at += begins[items[i] + 1] - begins[items[i]]
        spans[i, 1] = at
    places, theirs = np.empty(at, np.int32), np.empty(at, np.float32)
    for i in range(len(items)):
        shift = spans[i, 0] - begins[items[i]]
        for f in range(begins[items[i]], begins[items[i] + 1]):
            label = labels[f]
            if slots[label] < 0:
                slots[label], numbered[n] = n, label
                sums[n] = 0
                n += 1
            places[f + shift], theirs[f + shift] = slots[label], weights[f]
    used[0], width = n, _width(gradient.shape[1], threads)
    state = gradient, (places, theirs), spans, sums, width
    share_out(_added_part, state, -(-gradient.shape[1] // width), threads)


@kernel
def _no_label_yet(facts: Facts, items: Items, n_labels: int, width: int) -> Numbered:
    most = 0
    for item in items:
        most += facts[0][item + 1] - facts[0][item]
    most = min(most, n_labels)
    slots, sums = np.full(n_labels, -1, np.int32), np.empty((most, width), np.float32)
    return slots, np.empty(most, np.int64), np.zeros(1, np.int64), sums


@kernel
def label_gradients(
    facts: Facts, items: Items, n_labels: int, gradient: Floats, threads: int
) -> tuple[Items, Floats]:
    """Return the distinct labels (T,) of the facts of some items (R,) by first appearance, and their
    gradients (T, D), given those of the items' rows (R, D).

    Twin: dense matrices, tests/kernels/test_facts.py::test_gradients_flow_into_labels.
    """
    found = _no_label_yet(facts, items, n_labels, gradient.shape[1])
    _add_to_labels(facts, items, gradient, found, threads)
    return found[1][: found[2][0]], found[3][: found[2][0]]


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
def _product_part(state: tuple[Floats, Floats, Floats, int], part: int) -> None:
    numbers, gradient, sums, width = state
    n, end = part * width, min(part * width + width, sums.shape[1])
    add_product(numbers, gradient[:, n:end], sums[:, n:end])


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
    found = _no_label_yet(facts, items, len(labels[0]), rows.shape[1])
    at_once = CHUNK if threads == 1 else len(rows)  # few gradients at a time stay in the cache
    gradient = np.empty((at_once, rows.shape[1]), np.float32)
    numbers = np.empty((at_once, len(projection[0])), np.float32)
    of_numbers, width = np.zeros_like(projection[0]), _width(rows.shape[1], threads)
    for begin in range(0, len(rows), at_once):
        some, mine = items[begin : begin + at_once], gradient[: len(rows) - begin]
        _ask_facts(facts, some)
        state = own, items, kept, rows, factors, mine, begin, rates
        share_out(_learn_part, state, -(-len(some) // CHUNK), threads)
        _add_to_labels(facts, some, mine, found, threads)
        take(facts[3], some, numbers[: len(some)])
        parts = numbers[: len(some)].T, mine, of_numbers, width
        share_out(_product_part, parts, -(-rows.shape[1] // width), threads)
    column = (bias[0].reshape(-1, 1), bias[1].reshape(-1, 1), bias[2].reshape(-1, 1))
    adagrad_of_rows(column, items[: len(factors[0])], bias_gradients(factors[0]), rates, 1)
    adagrad_of_rows(labels, found[1][: found[2][0]], found[3], rates, threads)
    adagrad_of_rows(projection, np.arange(len(of_numbers)), of_numbers, rates, threads)
