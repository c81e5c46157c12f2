"""A GRU's steps as compiled loops, against the formulas in double, their gradient and torch's own GRU."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.gru import gru_alone, gru_backward, gru_forward, gru_walk, halves_of_exp
from recsys_gru.kernels.products import linear_shared
from tests.oracle_gru4rec import reset_after

pytestmark = pytest.mark.kernels
SIZES = given(lanes=st.integers(1, 20), units=st.integers(1, 19), threads=st.integers(1, 2))


def drawn(*shape: int, seed: int) -> Floats:
    return 2 * np.random.default_rng(seed).standard_normal(shape, np.float32)


def doubles(*arrays: Floats) -> list[Tensor]:
    return [torch.from_numpy(array).double().requires_grad_() for array in arrays]


def close(found: Floats, expected: Tensor) -> None:
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_exponential_is_exact_to_single_precision() -> None:
    x = np.concatenate([np.linspace(-86, 86, 1001), np.linspace(-1, 1, 1001)]).astype(np.float32)
    found = x.copy()
    bits = np.empty(len(x), np.int32)
    halves_of_exp(found, np.float32(0.5), bits)
    found *= bits.view(np.float32)
    expected = np.exp(x.astype(np.float64) - 0.5)
    np.testing.assert_allclose(found, expected, rtol=8e-6)
    near = np.abs(x) <= 5
    np.testing.assert_allclose(found[near], expected[near], rtol=6e-7)


@SIZES
def test_a_step_is_that_of_the_formulas(lanes: int, units: int, threads: int) -> None:
    gx, gh = drawn(lanes, 3 * units, seed=1), drawn(lanes, 3 * units, seed=2)
    state = drawn(lanes, units, seed=3)
    gates, after = np.empty((3, lanes, units), np.float32), np.empty_like(state)
    gru_forward(gx, gh, state, gates, after, threads)
    x, h, before = doubles(gx, gh, state)
    close(after, reset_after(x, h, before, units))
    opened = torch.sigmoid(x + h)[:, : 2 * units]
    close(gates[0], opened[:, :units])
    close(gates[1], opened[:, units:])
    close(gates[2], torch.tanh(x[:, 2 * units :] + opened[:, :units] * h[:, 2 * units :]))


@SIZES
def test_a_step_back_is_the_gradient_of_a_step(lanes: int, units: int, threads: int) -> None:
    gx, gh = drawn(lanes, 3 * units, seed=1), drawn(lanes, 3 * units, seed=2)
    state, d_after = drawn(lanes, units, seed=3), drawn(lanes, units, seed=4)
    gates, kept = np.empty((3, lanes, units), np.float32), np.empty_like(state)
    d_gates = np.empty_like(gx), np.empty_like(gh)
    gru_forward(gx, gh, state, gates, np.empty_like(state), threads)
    gru_backward(d_after, (state, gates, gh), d_gates, kept, threads)
    x, h, before = leaves = doubles(gx, gh, state)
    torch.autograd.backward(reset_after(x, h, before, units), torch.from_numpy(d_after).double())
    for found, leaf in zip((*d_gates, kept), leaves, strict=True):
        assert leaf.grad is not None
        close(found, leaf.grad)


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    units=st.integers(1, 9),
    threads=st.integers(1, 2),
)
def test_a_walk_is_that_of_each_session_alone(lengths: list[int], units: int, threads: int) -> None:
    lengths = sorted(lengths, reverse=True)
    alive = np.array([sum(length > step for length in lengths) for step in range(lengths[0])])
    gx, hidden = drawn(sum(lengths), 3 * units, seed=1), np.empty((sum(lengths), units), np.float32)
    weight, bias = np.float32(0.25) * drawn(3 * units, units, seed=2), drawn(3 * units, seed=3)
    begun = drawn(len(lengths), units, seed=4)
    gru_walk(gx, (weight, bias), alive, begun, hidden, threads)
    theirs = torch.nn.GRU(3 * units, units, dtype=torch.float64)
    parameters = np.eye(3 * units, dtype=np.float32), weight, np.zeros(3 * units, np.float32), bias
    begins = np.cumsum(alive) - alive
    with torch.no_grad():
        for own, given_ in zip(theirs.parameters(), parameters, strict=True):
            own.copy_(torch.from_numpy(given_))
        for lane, length in enumerate(lengths):
            at = begins[:length] + lane
            state = torch.from_numpy(begun[lane : lane + 1]).double()
            close(hidden[at], theirs(torch.from_numpy(gx[at]).double(), state)[0])


@pytest.mark.parametrize(("length", "units", "width"), [(1, 1, 3), (4, 7, 5), (9, 100, 100), (300, 19, 30)])
def test_a_session_alone_is_walked_to_the_same_bits(length: int, units: int, width: int) -> None:
    x, into = drawn(length, width, seed=1), (drawn(3 * units, width, seed=2), drawn(3 * units, seed=3))
    layer = np.float32(0.25) * drawn(3 * units, units, seed=4), drawn(3 * units, seed=5)
    gx, hidden = np.empty((length, 3 * units), np.float32), np.empty((length, units), np.float32)
    linear_shared(x, *into, gx, 2)
    gru_walk(gx, layer, np.ones(length, np.int64), np.zeros((1, units), np.float32), hidden, 1)
    assert (gru_alone(x, into, layer) == hidden).all()
