"""The GRU4Rec network: input rows, stacked recurrent layers, output table and bias.

P is the number of lane-steps of a window (its steps one after the other), L the lanes of one step, H the
units of a layer, N the items. Everything is sized by its arrays; nothing is kept between calls but the
parameters and, for answers, copies of one.
"""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.kernels.products import matmul
from recsys_gru.model.architecture import Architecture
from recsys_gru.model.cells import project
from recsys_gru.model.composed import composed
from recsys_gru.model.copies import Copies
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.facts import Facts
from recsys_gru.model.initial import initial_layer, initial_tables
from recsys_gru.model.moment import through_moment, with_moment
from recsys_gru.model.readout import through_last_rows, with_last_rows
from recsys_gru.model.rows import RowGradient, stretched, take_rows, through_stretched
from recsys_gru.model.share import WHOLE, Share
from recsys_gru.model.walk import Flow, Gradients, LayerTape, walk, walk_back

States = list[Tensor]
"""Per layer, the state of every lane, (L, states * H)."""


class Network:
    """Parameters by name, and the passes through the recurrent layers.

    `tables` are the item-wise parameters: "output" (N, H) and "bias" (N, 1), and for separate and one-hot
    input "input" (N, E or G * H). `layers` holds each layer's weights: "input" (G * H, in), the cell's
    matrices, and their biases.

    Where `facts` about the items are known, tables hold the items' own rows, and `added` what their facts add
    to these: of each table but the bias the rows of labels, "output.labels" (L, H), and a projection of
    numbers, "output.projection" (V, H); `level` is the bias of an item without a click. Where moments are
    told of, `moment` holds the rows of their "labels". Where tables are divided among processes, those
    here are the `share` of this one.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        share: Share = WHOLE,
    ) -> None:
        self.architecture, self.share = architecture, share
        self.copies = Copies()
        self.facts: Facts | None = None
        self.level = 0.0
        self.added: dict[str, Tensor] = {}
        self.cells = architecture.cells()
        self.tables = initial_tables(architecture, self.cells[0], generator, dtype, share)
        widths = architecture.input_widths()
        self.layers = [
            initial_layer(cell, width, generator, dtype)
            for cell, width in zip(self.cells, widths, strict=True)
        ]
        counts = {"weights": architecture.look_back, "repeats": architecture.repeats}
        self.readout = {name: torch.zeros(1, n, dtype=dtype) for name, n in counts.items() if n}
        self.moment: dict[str, Tensor] = {}

    @property
    def device(self) -> torch.device:
        """The device of every parameter."""
        return self.tables["output"].device

    def to(self, device: torch.device) -> "Network":
        """Move every parameter; returns the network itself."""
        for weights in (self.tables, *self.layers, self.readout, self.added, self.moment):
            weights.update({name: values.to(device) for name, values in weights.items()})
        return self

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every parameter with its name: "output", "bias", "input", "layers.0.recurrent", ..."""
        yield from self.tables.items()
        yield from ((f"readout.{name}", values) for name, values in self.readout.items())
        for i, weights in enumerate(self.layers):
            for name, values in weights.items():
                yield f"layers.{i}.{name}", values
        yield from ((f"facts.{name}", values) for name, values in self.added.items())
        yield from ((f"moment.{name}", values) for name, values in self.moment.items())

    def know(self, facts: Facts, n_labels: int) -> None:
        """Take facts about the items in; what they add begins as zeros."""
        self.facts = facts
        for name, table in self.tables.items():
            if name != "bias":
                self.added[f"{name}.labels"] = table.new_zeros(n_labels, table.shape[1])
                self.added[f"{name}.projection"] = table.new_zeros(facts.numbers.shape[1], table.shape[1])

    def feel(self, n_labels: int) -> None:
        """Take labels of moments in; what they add begins as zeros."""
        output = self.tables["output"]
        self.moment["labels"] = output.new_zeros(n_labels, output.shape[1])

    def clear(self, items: NDArray[np.int64]) -> None:
        """Make some items' own rows (R,) zeros."""
        for table in self.tables.values():
            table[torch.from_numpy(items)] = 0

    def rows_of(self, name: str, items: Tensor, kept: Tensor | None = None) -> Tensor:
        """Return some items' rows (R, D) of a table, with what their facts add; own rows only where `kept`
        (R,) is not 0."""
        if self.facts is None:
            return take_rows(self.tables[name], items)
        added = self.added[f"{name}.labels"], self.added[f"{name}.projection"]
        return composed(self.tables[name], self.facts, added, items, kept)

    def rows(self, name: str) -> Tensor:
        """Return all items' rows (N, D) of a table, with what their facts add."""
        own = self.tables[name]
        if self.facts is None:
            return own
        every = torch.arange(len(own), device=own.device)
        return self.copies.composed(name, lambda: self.rows_of(name, every))

    def of_tables(self, tables: dict[str, Tensor]) -> "Network":
        """Return a network of the same layers over other items, of which no facts are known."""
        other = copy.copy(self)
        other.tables, other.copies, other.facts, other.added = tables, Copies(), None, {}
        other.share = WHOLE
        return other

    def input_rows(self, items: Tensor) -> Tensor:
        """Return the rows (P, E or G * H) that item numbers (P,) put into the first layer."""
        if self.facts is not None and not self.copies.kept:
            return self.rows_of(self._looked_up, items)
        return take_rows(self.rows(self._looked_up), items)

    @property
    def _looked_up(self) -> str:
        return "output" if self.architecture.mode == "tied" else "input"

    @property
    def _looked_up_in(self) -> Tensor:
        return self.rows(self._looked_up)

    def scored_by(self) -> Tensor:
        """Return what items are scored by (N, H): products of these rows with what `asking` returns are the
        scores, but for the biases."""
        return self.copies.stretched(self.rows("output"), self.architecture.scale)

    def read_out(self, hidden: Tensor, recent: Tensor, moment: Tensor | None = None) -> Tensor:
        """Return what outputs of the last layer, the last clicks' rows and those of the moment's labels come
        to, (P, H); `recent` (P, K) are the clicked items, the last one first, `moment` (P, C) the labels of
        the last click, -1 for none."""
        if self.architecture.look_back:
            hidden = with_last_rows(hidden, self._looked_up_in, recent, self.readout["weights"])
        if self.moment and moment is not None:
            hidden = with_moment(hidden, moment, self.moment["labels"])
        return hidden

    def asking(self, read_out: Tensor) -> Tensor:
        """Return what items are scored for, (P, H)."""
        return stretched(read_out, self._length)

    def through_read_out(
        self, d_asking: Tensor, read_out: Tensor, recent: Tensor
    ) -> tuple[Tensor, RowGradient | None, Tensor]:
        """Return the gradients of the hidden states (P, H), of the readout's weights, and of the rows that
        they weigh (P * K, H), the latter two empty where nothing is looked back at."""
        d_hidden = through_stretched(d_asking, read_out, self._length)
        if not self.architecture.look_back:
            return d_hidden, None, d_hidden[:0]
        weights = self.readout["weights"]
        of_weights, of_rows = through_last_rows(d_hidden, self._looked_up_in, recent, weights)
        return d_hidden, RowGradient(weights.new_ones(1, 1), of_weights), of_rows

    def through_moment(self, d_hidden: Tensor, moment: Tensor) -> RowGradient:
        """Return the gradient of the rows of moments' labels, given that of what was read out (P, H)."""
        return through_moment(d_hidden, moment, len(self.moment["labels"]))

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
            gx = project(rows, weights)
            begun = None if flow.given is None else (flow.given.places, flow.given.states[i])
            outputs, state, tapes, masks = walk(cell, weights, gx, flow, state, dropout, begun)
            after.append(state)
            tape.append(LayerTape(rows, tapes, masks))
            rows = outputs
        return rows, after, tape

    def run(self, rows: Tensor, alive: Sequence[int], begun: States | None = None) -> tuple[Tensor, States]:
        """Return the outputs of the last layer (P, H) for sessions side by side, whole ones or what comes
        after the states that they have begun with, and each layer's states (P, states * H); see `Cell.run`.
        """
        after: States = []
        begun = begun or self.zero_states(alive[0])
        for cell, weights, state in zip(self.cells, self.layers, begun, strict=True):
            after.append(cell.run(weights, project(rows, weights), alive, state))
            rows = cell.output(after[-1])
        return rows, after

    def after(self, items: Tensor) -> Tensor:
        """Return the output of the last layer (1, H) after the items (T,) of one session."""
        rows = self.input_rows(items)
        for cell, weights in zip(self.cells, self.layers, strict=True):
            rows = cell.output(cell.alone(weights, rows))
        return rows[-1:]

    def backward(self, d_rows: Tensor, flow: Flow, tape: list[LayerTape]) -> tuple[Tensor, list[Gradients]]:
        """Return the gradients of the input rows and of each layer's weights, given those of the outputs (P,
        H)."""
        gradients: list[Gradients] = []
        for cell, weights, record in zip(
            reversed(self.cells), reversed(self.layers), reversed(tape), strict=True
        ):
            d_gx, gradient = walk_back(cell, weights, d_rows, flow, record)
            d_rows = d_gx
            if "input" in weights:
                gradient["input"] = RowGradient(d_gx, record.inputs)
                d_rows = matmul(d_gx, weights["input"])
            gradients.insert(0, gradient)
        return d_rows, gradients
