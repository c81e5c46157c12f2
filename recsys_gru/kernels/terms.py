"""What facts add to rows of items, and the gradients that flow back into it: products with the items' labels
and numbers, which are read where they lie.

Sums are added up as they are written: the same bits in whatever loop these are compiled into.
"""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.simd import WIDTH
from recsys_gru.kernels.machine.sparse import MOST, gather, scatter
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import add_product
from recsys_gru.kernels.rows import take

Facts = tuple[Items, NDArray[np.int32], Floats, Floats]
"""Of N items: where the labels of each begin (N + 1,), labels and their weights (nnz,), numbers (N, V)."""
NARROW = 8
"""Numbers of an item that are quicker added one by one than as a product."""
Terms = tuple[NDArray[np.int32], Floats, Items]
"""Of a sparse matrix of R rows: the columns and the values of its terms, and where those of each row begin
and end (R, 2)."""
Numbered = tuple[NDArray[np.int32], Items, Items, Floats]
"""Of labels: the number of each (L,) by first appearance, -1 for none yet, or empty where each has its own;
which has which number (M,); how many have one (1,); and the sums of their gradients (M, D)."""


@kernel
def _gather(table: Floats, terms: Terms, out: Floats) -> None:
    """Add the terms of each row of a sparse matrix (R, N), times a table (N, D), to out (R, D)."""
    vectors = _panel(out.shape[1])
    for n in range(0, out.shape[1], vectors * WIDTH):
        gather(table, terms[:2], terms[2], out, n, min(vectors, -(-(out.shape[1] - n) // WIDTH)))


@kernel
def _scatter(table: Floats, terms: Terms, out: Floats, columns: tuple[int, int]) -> None:
    """Add the transpose of a sparse matrix (R, N), times a table (R, D), to out (N, D), some columns."""
    begin, end = columns
    vectors = _panel(end - begin)
    for n in range(begin, end, vectors * WIDTH):
        scatter(table, terms[:2], terms[2], out, n, min(vectors, -(-(end - n) // WIDTH)))


@kernel
def _panel(columns: int) -> int:
    """How many vectors of so many columns to take at a time, so that none is left over narrow."""
    vectors = -(-columns // WIDTH)
    return -(-vectors // -(-vectors // MOST))


@kernel
def _labels_of(facts: Facts, items: Items) -> Terms:
    """The labels of some items, where they lie."""
    spans = np.empty((len(items), 2), np.int64)
    for i in range(len(items)):
        spans[i, 0], spans[i, 1] = facts[0][items[i]], facts[0][items[i] + 1]
    return facts[1], facts[2], spans


@kernel
def _numbers_of(facts: Facts, items: Items) -> Terms:
    """The numbers of some items, as weights of the rows of the projection."""
    width = facts[3].shape[1]
    places, spans = np.empty(len(items) * width, np.int32), np.empty((len(items), 2), np.int64)
    numbers = np.empty(len(places), np.float32)
    for i in range(len(items)):
        spans[i, 0], spans[i, 1] = i * width, i * width + width
        for v in range(width):
            places[i * width + v], numbers[i * width + v] = v, facts[3][items[i], v]
    return places, numbers, spans


@kernel
def add_facts(facts: Facts, items: Items, added: tuple[Floats, Floats], out: Floats) -> None:
    """Add to out (R, D) what the facts of some items (R,) add: rows of labels (L, D), each times its weight,
    and numbers times a projection (V, D).

    Twin: dense matrices, tests/kernels/test_facts.py::test_a_row_is_its_own_and_its_facts.
    """
    labels, projection = added
    _gather(labels, _labels_of(facts, items), out)
    if len(projection) <= NARROW:
        _gather(projection, _numbers_of(facts, items), out)
    else:
        numbers = np.empty((len(items), len(projection)), np.float32)
        take(facts[3], items, numbers)
        add_product(numbers, projection, out)


@kernel
def _width(columns: int, threads: int) -> int:
    """Columns of a thread."""
    return -(-columns // (threads * WIDTH)) * WIDTH


@kernel
def _scatter_part(state: tuple[Floats, Terms, Floats, int], part: int) -> None:
    gradient, terms, sums, width = state
    _scatter(gradient, terms, sums, (part * width, min(part * width + width, sums.shape[1])))


@kernel
def _scatter_shared(gradient: Floats, terms: Terms, sums: Floats, threads: int) -> None:
    """As `_scatter`, columns shared out: in the order of rows, however many threads there are."""
    width = _width(sums.shape[1], threads)
    share_out(_scatter_part, (gradient, terms, sums, width), -(-sums.shape[1] // width), threads)


@kernel
def _numbered(facts: Facts, items: Items, found: Numbered) -> Terms:
    """The labels of some items by their numbers; those that have none get one."""
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
    used[0] = n
    return places, theirs, spans


@kernel
def _add_to_labels(facts: Facts, items: Items, gradient: Floats, found: Numbered, threads: int) -> None:
    """Add the gradients of some items' rows (R, D) to those of their labels."""
    every = len(found[0]) == 0
    terms = _labels_of(facts, items) if every else _numbered(facts, items, found)
    _scatter_shared(gradient, terms, found[3], threads)


@kernel
def sums_of_labels(facts: Facts, items: Items, n_labels: int, width: int, every: bool) -> Numbered:
    """Return sums that gradients are to be added to: of every label if that is asked for and they are few,
    else of those that some items (R,) have, which are numbered as they come.

    Twin: NumPy in double, tests/kernels/test_facts.py::test_own_rows_biases_labels_and_projection_learn.
    """
    most = 0
    for item in items:
        most += facts[0][item + 1] - facts[0][item]
    if every and n_labels <= most:
        return np.empty(0, np.int32), np.arange(n_labels), np.full(1, n_labels), _zeros(n_labels, width)
    most = min(most, n_labels)
    slots, sums = np.full(n_labels, -1, np.int32), np.empty((most, width), np.float32)
    return slots, np.empty(most, np.int64), np.zeros(1, np.int64), sums


@kernel
def _zeros(rows: int, width: int) -> Floats:
    return np.zeros((rows, width), np.float32)


@kernel
def label_gradients(
    facts: Facts, items: Items, n_labels: int, gradient: Floats, threads: int
) -> tuple[Items, Floats]:
    """Return the distinct labels (T,) of the facts of some items (R,) by first appearance, and their
    gradients (T, D), given those of the items' rows (R, D).

    Twin: dense matrices, tests/kernels/test_facts.py::test_gradients_flow_into_labels.
    """
    found = sums_of_labels(facts, items, n_labels, gradient.shape[1], False)
    _add_to_labels(facts, items, gradient, found, threads)
    return found[1][: found[2][0]], found[3][: found[2][0]]


@kernel
def _product_part(state: tuple[Floats, Floats, Floats, int], part: int) -> None:
    numbers, gradient, sums, width = state
    n, end = part * width, min(part * width + width, sums.shape[1])
    add_product(numbers, gradient[:, n:end], sums[:, n:end])


@kernel
def _add_to_numbers(facts: Facts, items: Items, gradient: Floats, sums: Floats, threads: int) -> None:
    """Add the gradients of some items' rows (R, D) to that of the projection (V, D)."""
    numbers, width = np.empty((len(items), len(sums)), np.float32), _width(sums.shape[1], threads)
    take(facts[3], items, numbers)
    if len(sums) > NARROW:
        share_out(_product_part, (numbers.T, gradient, sums, width), -(-sums.shape[1] // width), threads)
        return
    count, spans = len(items), np.empty((len(sums), 2), np.int64)
    for v in range(len(sums)):
        spans[v, 0], spans[v, 1] = v * count, v * count + count
    places = np.empty(numbers.size, np.int32)
    for p in range(len(places)):
        places[p] = p % count
    _gather(gradient, (places, np.ascontiguousarray(numbers.T).ravel(), spans), sums)


@kernel
def add_gradients(
    facts: Facts, items: Items, gradient: Floats, sums: tuple[Numbered, Floats], threads: int
) -> None:
    """Add the gradients of some items' rows (R, D) to those of their labels, and to that of the projection of
    their numbers (V, D).

    Twin: NumPy in double, tests/kernels/test_facts.py::test_own_rows_biases_labels_and_projection_learn.
    """
    _add_to_labels(facts, items, gradient, sums[0], threads)
    _add_to_numbers(facts, items, gradient, sums[1], threads)
