"""Facts in the rows of items, against dense matrices."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recsys_gru.kernels.facts import (
    Known,
    bias_gradients,
    compose,
    learn_with_facts,
    row_gradients,
)
from recsys_gru.kernels.terms import add_facts, label_gradients
from recsys_gru.model.composed import composed
from recsys_gru.model.facts import Facts
from recsys_gru.model.rows import RowGradient

pytestmark = pytest.mark.kernels
Floats = NDArray[np.float32]
N, LABELS = 7, 4
NONE = np.empty(0, np.float32)


def facts_of(numbers: int, seed: int = 1) -> Facts:
    """Some items with labels and some without."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum([2, 0, 3, 1, 1, 0, 2])]).astype(np.int64)
    labels = rng.integers(0, LABELS - 1, offsets[-1]).astype(np.int32)  # one label is nobody's
    drawn = rng.normal(size=offsets[-1] + N * numbers).astype(np.float32)
    weights, rest = np.split(drawn, [offsets[-1]])
    return Facts(offsets, labels, weights, rest.reshape(N, numbers))


def dense(facts: Facts) -> NDArray[np.float64]:
    """(N, LABELS) how much each label adds to each item."""
    whole = np.zeros((N, LABELS))
    np.add.at(whole, (np.repeat(np.arange(N), np.diff(facts.offsets)), facts.labels), facts.weights)
    return whole


def drawn(*shapes: tuple[int, int]) -> list[Floats]:
    rng = np.random.default_rng(5)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("numbers", [0, 1, 9])
@pytest.mark.parametrize("width", [1, 16, 45, 150])
def test_a_row_is_its_own_and_its_facts(numbers: int, width: int) -> None:
    facts, items = facts_of(numbers), np.array([6, 0, 1, 2])
    own, labels, projection = drawn((N, width), (LABELS, width), (numbers, width))
    expected = own + dense(facts) @ labels + facts.numbers.astype(np.float64) @ projection
    out = np.full((4, width), np.nan, np.float32)
    compose(own, (items, NONE), facts, (labels, projection), out, 1)
    np.testing.assert_allclose(out, expected[items], rtol=1e-5, atol=1e-5)
    rows = own[items]
    add_facts(facts, items, (labels, projection), rows)
    assert np.array_equal(rows, out)
    kept = np.array([0, 2, 2, 0], np.float32)
    left = expected[items] - own[items] * (kept == 0)[:, None]
    compose(own, (items, kept), facts, (labels, projection), out, 1)
    np.testing.assert_allclose(out, left, rtol=1e-5, atol=1e-5)
    tensors = [torch.from_numpy(values).double() for values in (own, labels, projection)]
    elsewhere = composed(tensors[0], facts, (tensors[1], tensors[2]), torch.from_numpy(items))
    np.testing.assert_allclose(elsewhere.numpy(), expected[items], rtol=1e-6, atol=1e-6)
    halved = composed(
        tensors[0], facts, (tensors[1], tensors[2]), torch.from_numpy(items), torch.from_numpy(kept)
    )
    np.testing.assert_allclose(halved.numpy(), left, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("length", [0.0, 3.0])
@pytest.mark.parametrize("rows", [3, 70])
def test_gradients_of_rows_are_those_of_torch(rows: int, length: float) -> None:
    table, delta, operand, added = drawn((rows, 5), (2, 4), (4, 5), (3, 5))
    at = np.array([rows - 1, -1, 0])
    out = np.full((rows, 5), np.nan, np.float32)
    row_gradients(table, (delta, operand, at, added, np.float32(length)), out, 1)
    tensors = [torch.from_numpy(values).double() for values in (table, delta.T, operand, added)]
    inputs = torch.from_numpy(at), tensors[3]
    expected = RowGradient(tensors[1], tensors[2], torch.arange(rows), inputs, length).of_rows(tensors[0])
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_gradients_of_biases_are_sums() -> None:
    (delta,) = drawn((3, 21))
    np.testing.assert_allclose(bias_gradients(delta), delta.sum(1, keepdims=True), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [1, 32, 45, 150])
def test_gradients_flow_into_labels(width: int) -> None:
    facts, items = facts_of(0), np.array([6, 0, 1, 2])
    (gradient,) = drawn((4, width))
    found, sums = label_gradients(facts, items, LABELS, gradient, 1)
    first = [label for item in items for label in facts.of(np.array([item])).labels.tolist()]
    assert found.tolist() == list(dict.fromkeys(first))
    expected = dense(facts)[items].T @ gradient
    np.testing.assert_allclose(sums, expected[found], rtol=1e-5, atol=1e-5)


def test_threads_do_not_change_a_bit() -> None:
    facts = facts_of(3)
    items = np.tile(np.arange(N), 30)
    own, labels, projection, gradient = drawn((N, 100), (LABELS, 100), (3, 100), (len(items), 100))
    found = []
    for threads in (1, 3):
        out = np.empty_like(gradient)
        compose(own, (items, NONE), facts, (labels, projection), out, threads)
        found.append((out, *label_gradients(facts, items, LABELS, gradient, threads)))
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def adagrad(w: Floats, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """What its first step makes of a parameter."""
    moved: NDArray[np.float64] = w - 0.1 * gradient / np.sqrt(gradient**2 + 1e-6)
    return moved


@pytest.mark.parametrize("momentum", [0.0, 0.3])
@pytest.mark.parametrize("numbers", [2, 9])
def test_threads_learn_the_same_bits(numbers: int, momentum: float) -> None:
    facts = facts_of(numbers).of(np.tile(np.arange(N), 30))
    items, rates = np.random.default_rng(1).permutation(30 * N), (np.float32(0.1), np.float32(momentum))
    delta, operand, added, near = drawn((200, 8), (8, 40), (3, 40), (len(items), 40))
    factors = delta, operand, np.array([3, 0, 209]), added, np.float32(0)
    found = []
    for threads in (1, 3):
        tables = drawn((len(items), 40), (LABELS, 40), (numbers, 40), (1, len(items)))
        memories = [(values, np.zeros_like(values), np.zeros_like(values)) for values in tables]
        bias = tuple(values[0] for values in memories[3])
        known = Known(facts, memories[1], memories[2])
        told = (near, items, NONE), factors, (*rates, np.float32(1e-6)), threads
        learn_with_facts((memories[0], bias), known, *told)
        found.append(tables)
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_own_rows_biases_labels_and_projection_learn() -> None:
    facts, items = facts_of(2), np.array([6, 0, 1, 2])
    own, labels, projection, bias, near = drawn((N, 5), (LABELS, 5), (2, 5), (1, N), (4, 5))
    delta, operand, added = drawn((3, 6), (6, 5), (2, 5))
    expected = np.zeros((4, 5))
    expected[:3] = delta.astype(np.float64) @ operand
    expected[3] += added[0]
    expected[0] += added[1]
    moved = [values.copy() for values in (own, bias[0], labels, projection)]
    memories = [(values, np.zeros_like(values), np.zeros_like(values)) for values in moved]
    factors = delta, operand, np.array([3, 0]), added, np.float32(0)
    rates = np.float32(0.1), np.float32(0), np.float32(1e-6)
    known = Known(facts, memories[2], memories[3])
    learn_with_facts((memories[0], memories[1]), known, (near, items, NONE), factors, rates, 1)
    whole, of_biases = np.zeros((N, 5)), np.zeros(N)
    whole[items], of_biases[items[:3]] = expected, delta.sum(1)
    gradients = whole, of_biases, dense(facts).T @ whole, facts.numbers.T @ whole
    for found, before, gradient in zip(moved, (own, bias[0], labels, projection), gradients, strict=True):
        np.testing.assert_allclose(found, adagrad(before, gradient), rtol=1e-4, atol=1e-4)
