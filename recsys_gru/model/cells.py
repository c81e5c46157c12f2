"""Recurrent cells, one small class each: a step forward, and the same step backward in closed form.

A cell sees the input only as ``gx``, the input's share of every gate (a matrix product, or the looked-up row
of a one-hot input), so that the same cell serves every input mode. Gradients are written out because a step
of a small cell is bound by overhead, not by arithmetic; `tests/model/test_cells.py` ties each to automatic
differentiation.

L is the number of lanes, H the units, G the gates of the cell.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from recsys_gru.engines import at_most
from recsys_gru.kernels.gru import gru_alone, gru_backward, gru_forward, gru_walk
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.products import linear, matmul, on_kernels

Weights = dict[str, Tensor]
Tape = tuple[Tensor, ...]
Products = dict[str, tuple[Tensor, Tensor]]
"""Per recurrent matrix: the gradient of its output (L, out) and the input it was multiplied with (L, in)."""


def project(rows: Tensor, weights: Weights) -> Tensor:
    """Return the input's share of every gate; a one-hot input's looked-up row is that share already."""
    if "input" not in weights:
        return rows
    bias = weights["input_bias"] if "input_bias" in weights else rows.new_zeros(weights["input"].shape[0])
    return linear(rows, weights["input"], bias)


class Cell(ABC):
    """A recurrent cell of H units; its state is (L, states * H) and begins with the output."""

    gates: ClassVar[int]
    states: ClassVar[int] = 1
    matrices: ClassVar[dict[str, int]]
    """Recurrent matrices by name, each with the number of gates it feeds; a matrix's bias bears its name +
    `_bias`."""
    input_bias: ClassVar[bool] = False
    """Whether the input's projection has a bias of its own beside the recurrent one."""

    def __init__(self, units: int) -> None:
        self.units = units

    @abstractmethod
    def forward(self, weights: Weights, gx: Tensor, state: Tensor) -> tuple[Tensor, Tape]:
        """Return the next state (L, states * H) and what `backward` needs; `gx` is (L, G * H)."""

    @abstractmethod
    def backward(self, weights: Weights, d_state: Tensor, tape: Tape) -> tuple[Tensor, Tensor, Products]:
        """Return the gradient of `gx`, the share of `d_state` that goes round the recurrent matrix, and the
        factors of each matrix's gradient."""

    def run(self, weights: Weights, gx: Tensor, alive: Sequence[int], state: Tensor) -> Tensor:
        """Return the states (P, states * H) after the events of sessions side by side, which begin with a
        state (L, states * H), nothing kept for `backward`; `gx` is (P, G * H), step after step, and alive[t]
        lanes go on in step t, the first of those before."""
        states = []
        for gates in torch.split(gx, list(alive)):
            state, _ = self.forward(weights, gates, state[: len(gates)])
            states.append(state)
        return torch.cat(states)

    def alone(self, weights: Weights, rows: Tensor) -> Tensor:
        """Return the states (T, states * H) after every event of one session, given what its items put into
        the layer (T, D): those of `run`, on one thread, as there is too little to share out."""
        with at_most(1):
            begun = rows.new_zeros(1, self.states * self.units)
            return self.run(weights, project(rows, weights), [1] * len(rows), begun)

    def output(self, states: Tensor) -> Tensor:
        """Return the outputs (P, H) of states (P, states * H)."""
        return states if self.states == 1 else states[:, : self.units].contiguous()

    def d_former(self, weights: Weights, round_it: Tensor, products: Products) -> Tensor:
        """Return the gradient of the former state (L, states * H) from what `backward` returned."""
        return matmul(products["recurrent"][0], weights["recurrent"]).add_(round_it)


class GRU(Cell):
    """Reset-after GRU, gates r, z, n: h~ = tanh(Wx + b + r (Uh + c)), h' = (1 - z) h~ + z h (as
    torch.nn.GRUCell)."""

    gates = 3
    matrices: ClassVar[dict[str, int]] = {"recurrent": 3}
    input_bias = True

    def forward(self, weights: Weights, gx: Tensor, state: Tensor) -> tuple[Tensor, Tape]:
        gh = linear(state, weights["recurrent"], weights["recurrent_bias"])  # (L, 3H)
        if not on_kernels(state):
            after, gates = self._forward_formulas(gx, gh, state)
            return after, (state, gates, gh)
        # one pass: a dozen small operations cost more than what they compute
        gates, after = state.new_empty(3, *state.shape), torch.empty_like(state)
        gru_forward(gx.numpy(), gh.numpy(), state.numpy(), gates.numpy(), after.numpy(), n_threads())
        return after, (state, gates, gh)

    def run(self, weights: Weights, gx: Tensor, alive: Sequence[int], state: Tensor) -> Tensor:
        if not on_kernels(gx):
            return super().run(weights, gx, alive, state)
        hidden = gx.new_empty(gx.shape[0], self.units)
        layer = weights["recurrent"].numpy(), weights["recurrent_bias"].numpy()
        gru_walk(gx.numpy(), layer, np.array(alive), state.numpy(), hidden.numpy(), n_threads())
        return hidden

    def alone(self, weights: Weights, rows: Tensor) -> Tensor:
        if not on_kernels(rows) or "input" not in weights:
            return super().alone(weights, rows)
        into, layer = (
            (weights[name].numpy(), weights[f"{name}_bias"].numpy()) for name in ("input", "recurrent")
        )
        return torch.from_numpy(gru_alone(rows.numpy(), into, layer))

    def backward(self, weights: Weights, d_state: Tensor, tape: Tape) -> tuple[Tensor, Tensor, Products]:  # noqa: ARG002
        state, gates, gh = tape
        if not on_kernels(state):
            d_gx, d_gh, kept = self._backward_formulas(d_state, tape)
            return d_gx, kept, {"recurrent": (d_gh, state)}
        (d_gx, d_gh), kept = gh.new_empty(2, *gh.shape), torch.empty_like(state)
        memory = (state.numpy(), gates.numpy(), gh.numpy())
        gru_backward(d_state.numpy(), memory, (d_gx.numpy(), d_gh.numpy()), kept.numpy(), n_threads())
        return d_gx, kept, {"recurrent": (d_gh, state)}

    @staticmethod
    def _forward_formulas(gx: Tensor, gh: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state (L, H) and the gates r, z, n (3, L, H)."""
        units = state.shape[1]
        r, z = torch.sigmoid(gx[:, : 2 * units] + gh[:, : 2 * units]).chunk(2, 1)
        n = torch.tanh(gx[:, 2 * units :] + r * gh[:, 2 * units :])
        return torch.lerp(n, state, z), torch.stack((r, z, n))

    @staticmethod
    def _backward_formulas(d_state: Tensor, tape: Tape) -> tuple[Tensor, Tensor, Tensor]:
        """Return d_gx and d_gh (L, 3H), and the share of d_state that went round the cell (L, H)."""
        state, (r, z, n), gh = tape
        kept = d_state * z
        dn = (d_state - kept) * (1 - n * n)
        dz = (state - n) * kept * (1 - z)
        dr = dn * gh[:, 2 * state.shape[1] :] * (r - r * r)
        return torch.cat((dr, dz, dn), 1), torch.cat((dr, dz, dn * r), 1), kept


class GRUResetBefore(Cell):
    """Reset-before GRU (Cho et al. 2014), gates n, r, z: h~ = tanh(Wx + U(r h) + b), h' = (1 - z) h + z
    h~."""

    gates = 3
    matrices: ClassVar[dict[str, int]] = {"candidate": 1, "recurrent": 2}

    def forward(self, weights: Weights, gx: Tensor, state: Tensor) -> tuple[Tensor, Tape]:
        units = self.units
        gh = linear(state, weights["recurrent"], weights["recurrent_bias"])  # (L, 2H)
        # gate by gate: torch rounds a tensor's last elements in a way of their own, which are to be a lane's
        r, z = (gate.sigmoid() for gate in (gx[:, units:] + gh).chunk(2, 1))
        reset = r * state
        n = linear(reset, weights["candidate"], weights["candidate_bias"]).add_(gx[:, :units]).tanh_()
        return torch.lerp(state, n, z), (state, r, z, n, reset)

    def backward(self, weights: Weights, d_state: Tensor, tape: Tape) -> tuple[Tensor, Tensor, Products]:
        state, r, z, n, reset = tape
        share = d_state * z
        dn = share * (1 - n * n)
        d_reset = matmul(dn, weights["candidate"])
        drz = torch.cat((d_reset * state * (r - r * r), (n - state) * share * (1 - z)), 1)  # (L, 2H)
        round_it = d_state - share + d_reset * r
        return torch.cat((dn, drz), 1), round_it, {"candidate": (dn, reset), "recurrent": (drz, state)}


class LSTM(Cell):
    """LSTM, gates i, f, g, o: c' = f c + i g, h' = o tanh(c'); the state is (h, c) side by side."""

    gates = 4
    states = 2
    matrices: ClassVar[dict[str, int]] = {"recurrent": 4}

    def forward(self, weights: Weights, gx: Tensor, state: Tensor) -> tuple[Tensor, Tape]:
        output, memory = state.chunk(2, 1)
        gates = linear(output, weights["recurrent"], weights["recurrent_bias"]).add_(gx)  # (L, 4H)
        i, f, g, o = gates.chunk(4, 1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        new = f * memory + i * g
        squashed = new.tanh()
        return torch.cat((o * squashed, new), 1), (output, memory, i, f, g, o, squashed)

    def backward(self, weights: Weights, d_state: Tensor, tape: Tape) -> tuple[Tensor, Tensor, Products]:  # noqa: ARG002
        output, memory, i, f, g, o, squashed = tape
        d_output, d_memory = d_state.chunk(2, 1)
        d_memory = d_memory + d_output * o * (1 - squashed * squashed)
        di = d_memory * g * (i - i * i)
        df = d_memory * memory * (f - f * f)
        dg = d_memory * i * (1 - g * g)
        do = d_output * squashed * (o - o * o)
        d_gates = torch.cat((di, df, dg, do), 1)  # (L, 4H)
        return d_gates, d_memory * f, {"recurrent": (d_gates, output)}

    def d_former(self, weights: Weights, round_it: Tensor, products: Products) -> Tensor:
        return torch.cat((matmul(products["recurrent"][0], weights["recurrent"]), round_it), 1)


class RNN(Cell):
    """Plain (Elman) recurrent cell: h' = tanh(Wx + Uh + b)."""

    gates = 1
    matrices: ClassVar[dict[str, int]] = {"recurrent": 1}

    def forward(self, weights: Weights, gx: Tensor, state: Tensor) -> tuple[Tensor, Tape]:
        new = linear(state, weights["recurrent"], weights["recurrent_bias"]).add_(gx).tanh_()
        return new, (state, new)

    def backward(self, weights: Weights, d_state: Tensor, tape: Tape) -> tuple[Tensor, Tensor, Products]:  # noqa: ARG002
        state, new = tape
        d_gx = d_state * (1 - new * new)
        return d_gx, torch.zeros_like(d_gx), {"recurrent": (d_gx, state)}


CELLS: dict[str, type[Cell]] = {"gru": GRU, "gru-reset-before": GRUResetBefore, "lstm": LSTM, "rnn": RNN}
