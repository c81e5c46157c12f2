"""A window's walk through one recurrent layer, and back.

P is the number of lane-steps of a window (its steps one after the other), L the lanes of one step, H the
units of a layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recsys_gru.model.cells import Cell, Products, Tape, Weights
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.rows import RowGradient

Gradients = dict[str, RowGradient]
"""Of a layer's matrices, and their biases."""


class Flow(NamedTuple):
    """How hidden states run through a window."""

    alive: Sequence[int]
    """Lanes of each step."""
    keep: Tensor
    """(P, 1) 0 where a session begins, 1 elsewhere."""
    source: Tensor
    """(P,) int64: the lane of the step before that each lane continues."""
    given: "Given | None" = None
    """States that sessions go on from, which began before they are walked here."""

    def spans(self) -> list[tuple[int, int]]:
        """Return where each step begins and ends among the P rows."""
        ends, end = [], 0
        for count in self.alive:
            ends.append((end, end + count))
            end += count
        return ends


class Given(NamedTuple):
    """States before an event where nothing walked here goes before it."""

    places: Tensor
    """(Q,) int64, ascending: which of the P rows."""
    states: list[Tensor]
    """Of each layer, (Q, H) or (Q, 2 H)."""


class LayerTape(NamedTuple):
    """What one layer's backward pass needs."""

    inputs: Tensor
    tapes: list[Tape]
    masks: list[Tensor | None]


def walk(
    cell: Cell,
    weights: Weights,
    gx: Tensor,
    flow: Flow,
    state: Tensor,
    dropout: Dropout | None,
    given: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor, list[Tape], list[Tensor | None]]:
    """Step through a window; the dropped output is also the state that is carried on."""
    outputs: list[Tensor] = []
    tapes: list[Tape] = []
    masks: list[Tensor | None] = []
    cuts = (torch.split(values, list(flow.alive)) for values in (gx, flow.keep, flow.source))
    for (begin, end), gates, keep, source in zip(flow.spans(), *cuts, strict=True):
        if gates.shape[0] != state.shape[0]:  # lanes were removed: the survivors move up
            state = state[source]
        before = state * keep
        if given is not None:
            _begin_from(given, begin, end, before)
        state, tape = cell.forward(weights, gates, before)
        mask = dropout.mask(state[:, : cell.units]) if dropout else None
        state = _masked(state, mask, cell.units)
        outputs.append(state[:, : cell.units])
        tapes.append(tape)
        masks.append(mask)
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs)), state, tapes, masks


def _begin_from(given: tuple[Tensor, Tensor], begin: int, end: int, before: Tensor) -> None:
    """Put the given states of the rows from `begin` to `end` into the states before a step."""
    places, states = given
    here = (places >= begin) & (places < end)
    before[places[here] - begin] = states[here]


def walk_back(
    cell: Cell, weights: Weights, d_outputs: Tensor, flow: Flow, record: LayerTape
) -> tuple[Tensor, Gradients]:
    """Step back through a window, gradients flowing from each step into the one before."""
    d_gx: list[Tensor] = []
    factors: list[Products] = []
    carried: Tensor | None = None
    former = flow.source
    steps = list(zip(flow.spans(), record.tapes, record.masks, strict=True))
    for (begin, end), tape, mask in reversed(steps):
        d_state = d_outputs[begin:end]
        if cell.states > 1:
            d_state = torch.cat((d_state, torch.zeros_like(d_state)), 1)
        if carried is not None:
            d_state = d_state + _to_former_lanes(carried, end - begin, former)
        d_state = _masked(d_state, mask, cell.units)
        d_step, round_it, products = cell.backward(weights, d_state, tape)
        if begin:  # no gradient leaves the window
            carried = cell.d_former(weights, round_it, products) * flow.keep[begin:end]
            former = flow.source[begin:end]
        d_gx.insert(0, d_step)
        factors.insert(0, products)
    return (d_gx[0] if len(d_gx) == 1 else torch.cat(d_gx)), _weight_gradients(factors)


def _masked(state: Tensor, mask: Tensor | None, units: int) -> Tensor:
    """Apply a dropout mask to the output part of a state."""
    if mask is None:
        return state
    if state.shape[1] == units:
        return state * mask
    return torch.cat((state[:, :units] * mask, state[:, units:]), 1)


def _to_former_lanes(carried: Tensor, lanes: int, source: Tensor) -> Tensor:
    if len(carried) == lanes:
        return carried
    return carried.new_zeros(lanes, carried.shape[1]).index_copy_(0, source, carried)


def _weight_gradients(factors: list[Products]) -> Gradients:
    """Join the factors of all steps: a matrix's gradient is the sum over steps of delta^T operand."""
    if len(factors) == 1:
        return {name: RowGradient(*products) for name, products in factors[0].items()}
    return {
        name: RowGradient(torch.cat([x[name][0] for x in factors]), torch.cat([x[name][1] for x in factors]))
        for name in factors[0]
    }
