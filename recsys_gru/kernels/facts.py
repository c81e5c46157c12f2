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
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import CHUNK, product, product_shared
from recsys_gru.kernels.rows import Factors, Memory, Rates, adagrad_of_rows, take

Facts = tuple[Items, NDArray[np.int32], Floats, Floats]
"""Of N items: where the labels of each begin (N + 1,), labels and their weights (nnz,), numbers (N, V)."""
NARROW = 8
"""Numbers of an item that are quicker added one by one than as a product."""
COLUMNS = 32
"""Columns of a gradient that are worth a thread."""


class Known(NamedTuple):
    """Facts, and what they add to rows with its Adagrad memory; no offsets where nothing is known."""

    facts: Facts
    labels: Memory
    """(L, D)"""
    projection: Memory
    """(V, D)"""


@kernel
def facts_of(facts: Facts, items: Items) -> Facts:
    """The facts of some items (R,), in this order, side by side in memory.

    Twin: `Facts.of`, tests/kernels/test_facts.py::test_facts_of_some_items_are_gathered.
    """
    begins, labels, weights, numbers = facts
    of_labels, of_weights = labels.reshape(-1, 1), weights.reshape(-1, 1)
    offsets = np.zeros(len(items) + 1, np.int64)
    for i in range(len(items)):
        first, last = begins[items[i]], begins[items[i] + 1]
        offsets[i + 1] = offsets[i] + last - first
        prefetch(of_labels, first, 0)
        prefetch(of_weights, first, 0)
        prefetch(numbers, items[i], 0)
    of_items, their_weights = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.float32)
    own, at = np.empty((len(items), numbers.shape[1]), np.float32), 0
    for i in range(len(items)):
        for f in range(begins[items[i]], begins[items[i] + 1]):
            of_items[at], their_weights[at] = labels[f], weights[f]
            at += 1
        for v in range(own.shape[1]):
            own[i, v] = numbers[items[i], v]
    return offsets, of_items, their_weights, own


@in_order
def _add_weighted(
    out: Floats, i: int, table: Floats, which: tuple[NDArray[np.int32], Floats], begin: int, end: int
) -> None:
    """Add those rows of a table that `which` names from begin to end, each times its weight, to row i of
    `out`; four at a time, which the processor likes better than one."""
    places, weights = which
    whole = end - (end - begin) % 4
    for f in range(begin, whole, 4):
        a, b, c, d = places[f], places[f + 1], places[f + 2], places[f + 3]
        v, w, x, y = weights[f], weights[f + 1], weights[f + 2], weights[f + 3]
        for j in range(out.shape[1]):
            out[i, j] += (v * table[a, j] + w * table[b, j]) + (x * table[c, j] + y * table[d, j])
    for f in range(whole, end):
        a, v = places[f], weights[f]
        for j in range(out.shape[1]):
            out[i, j] += v * table[a, j]


@in_order
def _add_row(row: Floats, out: Floats) -> None:
    for j in range(len(out)):
        out[j] += row[j]


@kernel
def _compose_part(state: tuple[Floats, Items, Floats, Facts, Floats, Floats, Floats], part: int) -> None:
    own, items, kept, facts, labels, projection, out = state
    begin = part * CHUNK
    end = min(begin + CHUNK, len(items))
    offsets, of_labels, numbers = facts[0], (facts[1], facts[2]), facts[3]
    width = len(projection)
    take(own, items[begin:end], out[begin:end])
    for i in range(begin, end):
        if len(kept) > 0 and kept[i] == 0:
            out[i] = 0
        _add_weighted(out, i, labels, of_labels, offsets[i], offsets[i + 1])
        if width <= NARROW:
            for v in range(width):
                for j in range(out.shape[1]):
                    out[i, j] += numbers[i, v] * projection[v, j]
    if len(projection) > NARROW:
        added, start = np.empty((end - begin, out.shape[1]), np.float32), np.zeros(end - begin, np.float32)
        product(numbers[begin:end], projection, added, start)
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
    R items) add: of labels (L, D), and of numbers by a projection (V, D). Beside the items it is told which
    of them are to be kept (R,), all if empty: where there is a zero, the own row is left out.

    Twin: dense matrices, tests/kernels/test_facts.py::test_a_row_is_its_own_and_its_facts.
    """
    state = (own, picked[0], picked[1], facts, added[0], added[1], out)
    share_out(_compose_part, state, -(-len(out) // CHUNK), threads)


@kernel
def _fill_gradients(rows: Floats, factors: Factors, out: Floats, begin: int, end: int) -> None:
    delta, operand, at, added, length = factors
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
def _gradient_part(state: tuple[Floats, Factors, Floats], part: int) -> None:
    rows, factors, out = state
    _fill_gradients(rows, factors, out, part * CHUNK, min(part * CHUNK + CHUNK, len(rows)))


@kernel
def row_gradients(rows: Floats, factors: Factors, out: Floats, threads: int) -> None:
    """Set out (R, D) to the gradient that `model.rows.RowGradient` has of these factors, of rows (R, D).

    Twin: `RowGradient.of_rows`, tests/kernels/test_facts.py::test_gradients_of_rows_are_those_of_torch.
    """
    share_out(_gradient_part, (rows, factors, out), -(-len(rows) // CHUNK), threads)


@in_order
def _add_part(state: tuple[Facts, Items, Floats, Floats, int], part: int) -> None:
    """Add the rows of a gradient to those of their labels, some columns of all: in the order of items,
    however many threads there are."""
    (offsets, _, weights, _), places, gradient, out, width = state
    begin = part * width
    count = np.uint64(min(width, gradient.shape[1] - begin))
    first = np.uint64(begin)  # of what has a sign, the loop would see whether it counts from the end
    for i in range(len(gradient)):
        for f in range(offsets[i], offsets[i + 1]):
            t, weight = places[f], weights[f]
            for j in range(count):
                out[t, first + j] += weight * gradient[i, first + j]


@kernel
def label_gradients(facts: Facts, n_labels: int, gradient: Floats, threads: int) -> tuple[Items, Floats]:
    """Return the distinct labels (T,) of the facts of R items by first appearance, and their gradients (T,
    D), given those of the items' rows (R, D).

    Twin: dense matrices, tests/kernels/test_facts.py::test_gradients_flow_into_labels.
    """
    labels, used = facts[1], 0
    slots, places = np.full(n_labels, -1, np.int64), np.empty(len(labels), np.int64)
    found = np.empty(min(len(labels), n_labels), np.int64)
    for f in range(len(labels)):
        slot = slots[labels[f]]
        if slot < 0:
            slot = used
            slots[labels[f]], found[used] = used, labels[f]
            used += 1
        places[f] = slot
    out = np.zeros((used, gradient.shape[1]), np.float32)
    width = max(-(-gradient.shape[1] // threads), COLUMNS)
    share_out(_add_part, (facts, places, gradient, out, width), -(-gradient.shape[1] // width), threads)
    return found[:used], out


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
def _learn_part(state: tuple[Memory, Items, Floats, Floats, Factors, Floats, Rates], part: int) -> None:
    """Fill the gradients of some rows, and learn the own ones while these are in the cache."""
    own, items, kept, rows, factors, gradient, rates = state
    begin, end = part * CHUNK, min(part * CHUNK + CHUNK, len(rows))
    _fill_gradients(rows, factors, gradient, begin, end)
    mine = gradient[begin:end]
    if len(kept) > 0:
        mine = mine.copy()
        for i in range(len(mine)):
            if kept[begin + i] == 0:
                mine[i] = 0
    adagrad_of_rows(own, items[begin:end], mine, rates, 1)


@kernel
def learn_with_facts(
    memories: tuple[Memory, Memory],
    known: Known,
    near: tuple[Floats, Items, Facts, Floats],
    factors: Factors,
    rates: Rates,
    threads: int,
) -> None:
    """Apply Adagrad to the own rows and the biases of the items of a window, and to what their facts add.

    `near` are these rows with their facts, (R, D), that the factors of the gradient belong to, the items'
    numbers (R,), their facts, and which own rows were kept (R,), all if empty.

    Twin: NumPy in double, tests/kernels/test_facts.py::test_own_rows_biases_labels_and_projection_learn.
    """
    (own, bias), (rows, items, facts, kept), (_, labels, projection) = memories, near, known
    gradient = np.empty_like(rows)
    parts = -(-len(rows) // CHUNK)
    share_out(_learn_part, (own, items, kept, rows, factors, gradient, rates), parts, threads)
    column = (bias[0].reshape(-1, 1), bias[1].reshape(-1, 1), bias[2].reshape(-1, 1))
    adagrad_of_rows(column, items[: len(factors[0])], bias_gradients(factors[0]), rates, 1)
    if len(labels[0]) > 0:
        distinct, sums = label_gradients(facts, len(labels[0]), gradient, threads)
        adagrad_of_rows(labels, distinct, sums, rates, threads)
    if len(projection[0]) > 0:
        every, sums = np.arange(len(projection[0])), np.empty_like(projection[0])
        product_shared(facts[3].T, gradient, sums, threads)
        adagrad_of_rows(projection, every, sums, rates, threads)
