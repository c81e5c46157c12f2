"""A GRU step's gates as loops over lanes, one lane in the cache at a time; the formulas are in
`model.cells.GRU`."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import linear_shared

LANES = 8
"""Lanes that make a part of the work."""
Gates = tuple[Floats, Floats, Floats]
"""Of a step: the state before (L, H), the gates r, z, n (3, L, H), and the state's share in them (L, 3H)."""


@kernel
def halves_of_exp(x: Floats, shift: np.float32, bits: NDArray[np.int32]) -> None:
    """Prepare e^(x - shift) for x (n,): afterwards it is `x * bits.view(float32)`, to a millionth of its
    value, or to ten where that is near the ends of single precision.

    e^v = 2^n e^r with |r| <= ln(2) / 2: x becomes e^r, a polynomial, and `bits` those of the float 2^n. The
    caller multiplies in its own next pass. All lanes of a vector register work at once; numba has no vector
    form of np.exp, which would be most of a loss's time.

    Twin: np.exp in double, tests/kernels/test_gru.py::test_the_exponential_is_exact_to_single_precision.
    """
    one, half = np.float32(1), np.float32(0.5)
    for j in range(len(x)):
        v = min(max(x[j] - shift, np.float32(-87)), np.float32(88))
        n = np.floor(v * np.float32(1.4426950408889634) + half)
        r = v - n * np.float32(0.6931471805599453)
        p = np.float32(1 / 5040) * r + np.float32(1 / 720)
        p = p * r + np.float32(1 / 120)
        p = p * r + np.float32(1 / 24)
        p = p * r + np.float32(1 / 6)
        p = p * r + half
        p = p * r + one
        x[j] = p * r + one
        bits[j] = (np.int32(n) + np.int32(127)) << np.int32(23)


@kernel
def _forward_part(state: tuple[Floats, Floats, Floats, Floats, Floats], part: int) -> None:
    gx, gh, before, gates, after = state
    units, zero, one, two = before.shape[1], np.float32(0), np.float32(1), np.float32(2)
    bits = np.empty(units, np.int32)
    powers = bits.view(np.float32)
    for i in range(part * LANES, min(part * LANES + LANES, len(before))):
        for gate in range(2):
            opened, begin = gates[gate, i], gate * units
            for j in range(units):
                opened[j] = -(gx[i, begin + j] + gh[i, begin + j])
            halves_of_exp(opened, zero, bits)
            for j in range(units):
                opened[j] = one / (one + opened[j] * powers[j])
        r, z, n, begin = gates[0, i], gates[1, i], gates[2, i], 2 * units
        for j in range(units):
            n[j] = -two * (gx[i, begin + j] + r[j] * gh[i, begin + j])
        halves_of_exp(n, zero, bits)
        for j in range(units):
            n[j] = two / (one + n[j] * powers[j]) - one
            after[i, j] = n[j] + z[j] * (before[i, j] - n[j])


@kernel
def gru_forward(gx: Floats, gh: Floats, state: Floats, gates: Floats, after: Floats, threads: int) -> None:
    """Fill the gates r, z, n (3, L, H) and the next state (L, H), from the shares in the gates of the input
    and of the state, gx and gh (L, 3H).

    r, z = sigmoid(gx + gh), n = tanh(gx + r gh), h' = (1 - z) n + z h: `model.cells.GRU`.

    Twin: an oracle in double, tests/kernels/test_gru.py::test_a_step_is_that_of_the_formulas.
    """
    share_out(_forward_part, (gx, gh, state, gates, after), -(-len(state) // LANES), threads)


@kernel
def _backward_part(state: tuple[Floats, Gates, tuple[Floats, Floats], Floats], part: int) -> None:
    d_state, (before, gates, gh), d_gates, kept = state
    units, one = before.shape[1], np.float32(1)
    for i in range(part * LANES, min(part * LANES + LANES, len(before))):
        # a loop for each array written: only then is it done in vector registers
        r, z, n, s, d, keep = gates[0, i], gates[1, i], gates[2, i], before[i], d_state[i], kept[i]
        inner, d_x, d_h = gh[i, 2 * units :], d_gates[0][i], d_gates[1][i]
        dr, dz, dn = d_x[:units], d_x[units : 2 * units], d_x[2 * units :]
        for j in range(units):
            keep[j] = d[j] * z[j]
        for j in range(units):
            dn[j] = (d[j] - keep[j]) * (one - n[j] * n[j])
        for j in range(units):
            dz[j] = (s[j] - n[j]) * keep[j] * (one - z[j])
        for j in range(units):
            dr[j] = dn[j] * inner[j] * (r[j] - r[j] * r[j])
        for j in range(2 * units):
            d_h[j] = d_x[j]
        for j in range(units):
            d_h[2 * units + j] = dn[j] * r[j]


@kernel
def gru_backward(
    d_state: Floats, memory: Gates, d_gates: tuple[Floats, Floats], kept: Floats, threads: int
) -> None:
    """Fill the gradients of gx and gh, each (L, 3H), and of the state that went round the gates (L, H), from
    that of the next state: the chain rule through `gru_forward`, as `model.cells.GRU` spells it out.

    Twin: automatic differentiation, tests/kernels/test_gru.py::test_a_step_back_is_the_gradient_of_a_step.
    """
    share_out(_backward_part, (d_state, memory, d_gates, kept), -(-len(d_state) // LANES), threads)


@kernel
def gru_alone(x: Floats, into: tuple[Floats, Floats], layer: tuple[Floats, Floats]) -> Floats:
    """Return the hidden states (T, H) after every event of one session, whose inputs are x (T, D): what
    `linear_shared` and `gru_walk` come to on one thread, given the weight and bias of the input, and those of
    the state.

    Twin: `gru_walk`, tests/kernels/test_gru.py::test_a_session_alone_is_walked_to_the_same_bits.
    """
    gx = np.empty((len(x), len(into[0])), np.float32)
    linear_shared(x, into[0], into[1], gx, 1)
    hidden = np.empty((len(x), len(into[0]) // 3), np.float32)
    gru_walk(gx, layer, np.ones(len(x), np.int64), np.zeros((1, hidden.shape[1]), np.float32), hidden, 1)
    return hidden


@kernel
def gru_walk(
    gx: Floats, layer: tuple[Floats, Floats], alive: Items, begun: Floats, hidden: Floats, threads: int
) -> None:
    """Fill the hidden states (P, H) after every event of some sessions side by side: `gru_forward` step after
    step, from the states that they begin with, (L, H).

    gx is (P, 3H), step after step; layer its recurrent weight and bias; alive (T,) lanes go on in each step,
    the first of those before.

    Twin: torch.nn.GRU, tests/kernels/test_gru.py::test_a_walk_is_that_of_each_session_alone.
    """
    (weight, bias), units = layer, hidden.shape[1]
    state, begin = begun, 0
    for count in alive:
        end, gh = begin + count, np.empty((count, 3 * units), np.float32)
        gates = np.empty((3, count, units), np.float32)
        linear_shared(state[:count], weight, bias, gh, threads)
        gru_forward(gx[begin:end], gh, state[:count], gates, hidden[begin:end], threads)
        state, begin = hidden[begin:end], end
