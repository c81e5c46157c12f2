"""The GRU4Rec network: input rows, stacked recurrent layers, output table and bias.

P is the number of lane-steps of a window (its steps one after the other), L the lanes of one step, H the
units of a layer, N the items. Everything is sized by its arrays; nothing is kept between calls but the
parameters and, for answers, copies of one.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recsys_gru.kernels.products import linear, matmul
from recsys_gru.model.architecture import Architecture
from recsys_gru.model.cells import Cell, Products, Tape, Weights
from recsys_gru.model.copies import Copies
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.initial import initial_layer, initial_tables
from recsys_gru.model.readout import through_last_rows, with_last_rows
from recsys_gru.model.rows import RowGradient, stretched, take_rows, through_stretched

Gradients = dict[str, RowGradient]
"""Of a layer's matrices, and their biases."""
States = list[Tensor]
"""Per layer, the state of every lane, (L, states * H)."""


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


class Network:
    """Parameters by name, and the passes through the recurrent layers.

    `tables` are the item-wise parameters: "output" (N, H) and "bias" (N, 1), and for separate and one-hot
    input "input" (N, E or G * H). `layers` holds each layer's weights: "input" (G * H, in), the cell's
    matrices, and their biases.
    """

    def __init__(
        self, architecture: Architecture, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> None:
        self.architecture = architecture
        self.copies = Copies()
        self.cells = architecture.cells()
        self.tables = initial_tables(architecture, self.cells[0], generator, dtype)
        widths = architecture.input_widths()
        self.layers = [
            initial_layer(cell, width, generator, dtype)
            for cell, width in zip(self.cells, widths, strict=True)
        ]
        count = architecture.look_back
        self.readout = {"weights": torch.zeros(1, count, dtype=dtype)} if count else {}

    @property
    def device(self) -> torch.device:
        """The device of every parameter."""
        return self.tables["output"].device

    def to(self, device: torch.device) -> "Network":
        """Move every parameter; returns the network itself."""
        for weights in (self.tables, *self.layers, self.readout):
            weights.update({name: values.to(device) for name, values in weights.items()})
        return self

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every parameter with its name: "output", "bias", "input", "layers.0.recurrent", ..."""
        yield from self.tables.items()
        yield from ((f"readout.{name}", values) for name, values in self.readout.items())
        for i, weights in enumerate(self.layers):
            for name, values in weights.items():
                yield f"layers.{i}.{name}", values

    def input_rows(self, items: Tensor) -> Tensor:
        """Return the rows (P, E or G * H) that item numbers (P,) put into the first layer."""
        return take_rows(self._looked_up_in, items)

    @property
    def _looked_up_in(self) -> Tensor:
        return self.tables["output" if self.architecture.mode == "tied" else "input"]

    def scored_by(self) -> Tensor:
        """Return what items are scored by (N, H): products of these rows with what `asking` returns are the
        scores, but for the biases."""
        return self.copies.stretched(self.tables["output"], self.architecture.scale)

    def read_out(self, hidden: Tensor, recent: Tensor) -> Tensor:
        """Return what outputs of the last layer and the last clicks' rows come to, (P, H); `recent` (P, K)
        are the clicked items, the last one first, -1 for none."""
        if not self.readout:
            return hidden
        return with_last_rows(hidden, self._looked_up_in, recent, self.readout["weights"])

    def asking(self, read_out: Tensor) -> Tensor:
        """Return what items are scored for, (P, H)."""
        return stretched(read_out, self._length)

    def through_read_out(
        self, d_asking: Tensor, read_out: Tensor, recent: Tensor
    ) -> tuple[Tensor, RowGradient | None, Tensor]:
        """Return the gradients of the hidden states (P, H), of the readout's weights, and of the rows that
        they weigh (P * K, H), the latter two empty where nothing is looked back at."""
        d_hidden = through_stretched(d_asking, read_out, self._length)
        if not self.readout:
            return d_hidden, None, d_hidden[:0]
        weights = self.readout["weights"]
        of_weights, of_rows = through_last_rows(d_hidden, self._looked_up_in, recent, weights)
        return d_hidden, RowGradient(weights.new_ones(1, 1), of_weights), of_rows

    @property
    def _length(self) -> float:
        return 1.0 if self.architecture.scale else 0.0

    def zero_states(self, lanes: int) -> States:
        """Return the states before any event."""
        output = self.tables["output"]
        return [output.new_zeros(lanes, cell.states * cell.units) for cell in self.cells]

    def forward(
        self, rows: Tensor, flow: Flow, states: States, dropout: Dropout | None = None
    ) -> tuple[Tensor, States, list[LayerTape]]:
        """Run a window: input rows (P, E or G * H) -> outputs of the last layer (P, H), the states after it,
        the tape."""
        after: States = []
        tape: list[LayerTape] = []
        for i, (cell, weights, state) in enumerate(zip(self.cells, self.layers, states, strict=True)):
            gx = _project(rows, weights)
            begun = None if flow.given is None else (flow.given.places, flow.given.states[i])
            outputs, state, tapes, masks = _walk(cell, weights, gx, flow, state, dropout, begun)
            after.append(state)
            tape.append(LayerTape(rows, tapes, masks))
            rows = outputs
        return rows, after, tape

    def run(self, rows: Tensor, alive: Sequence[int]) -> Tensor:
        """Return the outputs of the last layer (P, H) for whole sessions side by side; see `Cell.run`."""
        for cell, weights in zip(self.cells, self.layers, strict=True):
            rows = cell.run(weights, _project(rows, weights), alive)
        return rows

    def backward(self, d_rows: Tensor, flow: Flow, tape: list[LayerTape]) -> tuple[Tensor, list[Gradients]]:
        """Return the gradients of the input rows and of each layer's weights, given those of the outputs (P,
        H)."""
        gradients: list[Gradients] = []
        for cell, weights, record in zip(
            reversed(self.cells), reversed(self.layers), reversed(tape), strict=True
        ):
            d_gx, gradient = _walk_back(cell, weights, d_rows, flow, record)
            d_rows = d_gx
            if "input" in weights:
                gradient["input"] = RowGradient(d_gx, record.inputs)
                d_rows = matmul(d_gx, weights["input"])
            gradients.insert(0, gradient)
        return d_rows, gradients


def _project(rows: Tensor, weights: Weights) -> Tensor:
    """Return the input's share of every gate; a one-hot input's looked-up row is that share already."""
    if "input" not in weights:
        return rows
    bias = weights["input_bias"] if "input_bias" in weights else rows.new_zeros(weights["input"].shape[0])
    return linear(rows, weights["input"], bias)


def _walk(
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


def _walk_back(
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
