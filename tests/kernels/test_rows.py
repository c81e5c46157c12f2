"""Adagrad on picked rows as a compiled loop, against the rule written for one number at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.rows import Memory, adagrad_by_factors, adagrad_of_rows, score, score_all

pytestmark = pytest.mark.kernels
N_ITEMS = 90
RATE, EPS = 0.1, 1e-6


def stepped(memory: Memory, row: int, gradient: Floats, momentum: float) -> list[list[float]]:
    """Weights, sums and velocity of one row after the step, each number by itself."""
    found = []
    for w, acc, v, g in zip(*(values[row].tolist() for values in memory), gradient.tolist(), strict=True):
        more = acc + g * g
        moved = momentum * v - RATE * g / math.sqrt(more + EPS)
        found.append([w + moved, more, moved if momentum else v])
    return [list(values) for values in zip(*found, strict=True)]


def memory_of(generator: np.random.Generator, columns: int, length: float) -> Memory:
    """Weights, sums and velocity of all items; of rows that are stretched, none short and no sum near
    nothing, as both would make much of a gradient's rounding."""
    w, acc, v = generator.standard_normal((3, N_ITEMS, columns), np.float32)
    if length:
        w, acc = np.copysign(np.abs(w) + 1, w), np.abs(acc) + 1
    return w, acc * acc, v


def through_length(row: Floats, gradient: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """The gradient of a row, from that of the row stretched to a length: its Jacobian, written out."""
    unit = row.astype(np.float64) / np.linalg.norm(row.astype(np.float64))
    across: NDArray[np.float64] = np.eye(len(row)) - np.outer(unit, unit)
    return length / np.linalg.norm(row.astype(np.float64)) * across @ gradient


@given(
    picked=st.integers(1, N_ITEMS),
    candidates=st.floats(0, 1),
    columns=st.integers(1, 20),
    momentum=st.sampled_from([0.0, 0.4]),
    biased=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    threads=st.integers(1, 2),
    length=st.sampled_from([0.0, 1.0, 16.0]),
)
def test_adagrad_is_its_formula_on_each_number(
    picked: int,
    candidates: float,
    columns: int,
    momentum: float,
    biased: bool,
    seed: int,
    threads: int,
    length: float,
) -> None:
    generator = np.random.default_rng(seed)
    scored, events, inputs = 1 + int(candidates * (picked - 1)), 5, 4
    memory = memory_of(generator, columns, length)
    w, acc, v = generator.standard_normal((3, N_ITEMS if biased else 0), np.float32)
    bias = w, acc * acc, v
    rows = generator.permutation(N_ITEMS)[:picked]
    delta = generator.standard_normal((scored, events), np.float32)
    operand = generator.standard_normal((events, columns), np.float32)
    at, added = (
        generator.integers(0, picked, inputs),
        generator.standard_normal((inputs, columns), np.float32),
    )

    gradient = np.zeros((picked, columns))
    gradient[:scored] = delta.astype(np.float64) @ operand
    if length:
        for number, row in enumerate(rows[:scored]):
            gradient[number] = through_length(memory[0][row], gradient[number], length)
    for place, more in zip(at, added, strict=True):
        gradient[place] += more
    expected = [values.copy() for values in memory]
    expected_bias = [values[:, None].copy() for values in bias]
    for number, row in enumerate(rows):
        for values, new in zip(expected, stepped(memory, row, gradient[number], momentum), strict=True):
            values[row] = new
        if biased and number < scored:
            total = delta[number].astype(np.float64).sum(keepdims=True)
            column = tuple(values[:, None] for values in bias)
            for values, new in zip(expected_bias, stepped(column, row, total, momentum), strict=True):
                values[row] = new

    rates = np.float32(RATE), np.float32(momentum), np.float32(EPS)
    factors = delta, operand, at, added, np.float32(length)
    adagrad_by_factors(memory, bias, rows, factors, rates, threads)
    for found, values in zip(memory, expected, strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5)
    for found, values in zip(bias, expected_bias, strict=True):
        np.testing.assert_allclose(found, values[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("columns", [1, 37])
def test_a_gradient_and_its_factors_move_rows_alike(columns: int, momentum: float) -> None:
    generator = np.random.default_rng(columns)
    one = memory_of(generator, columns, 0)
    other = tuple(values.copy() for values in one)
    rows = generator.permutation(N_ITEMS)[:70]
    gradient = generator.standard_normal((70, columns), np.float32)
    rates, none = (np.float32(RATE), np.float32(momentum), np.float32(EPS)), np.empty(0, np.float32)
    nothing = np.empty((0, 0), np.float32)
    factors = nothing, gradient[:0], np.arange(70), gradient, np.float32(0)
    adagrad_by_factors(one, (none,) * 3, rows, factors, rates, 1)
    adagrad_of_rows((other[0], other[1], other[2]), rows, gradient, rates, 1)
    assert all(np.array_equal(found, expected) for found, expected in zip(other, one, strict=True))


@pytest.mark.parametrize("rows", [1, 70])
def test_rows_are_scored_where_they_lie_as_in_a_copy(rows: int) -> None:
    generator = np.random.default_rng(rows)
    table, x = (generator.standard_normal((count, 21), np.float32) for count in (rows, 5))
    bias = generator.standard_normal(rows, np.float32)
    found, expected = np.empty((2, rows, 5), np.float32)
    score_all(table, bias, x, found, 1)
    score((table, bias, np.arange(rows)), x, (np.empty_like(table), expected), np.float32(0), 1)
    assert np.array_equal(found, expected)
