"""A fitted network as two ONNX graphs: one click more, and whole sessions."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.exporting.cells import add_layer
from recsys_gru.exporting.nodes import FLOAT, INT32, Doors, Nodes, Port
from recsys_gru.exporting.tables import ByteTables, FloatTables, Tables
from recsys_gru.model.network import Network

Floats = NDArray[np.float32]
SHORTEST = 1e-6
"""Of a state that still has a direction."""


@dataclass(frozen=True)
class Graphs:
    """The graphs of a network.

    Attributes:
        as_bytes: whether the item tables are a byte a number.
        scored: whether there are scores (B, N) beside the queries (B, H + 1).
    """

    network: Network
    as_bytes: bool
    scored: bool

    @cached_property
    def output(self) -> Floats:
        """What items are scored by (N, H)."""
        return _floats(self.network.scored_by())

    @cached_property
    def bias(self) -> Floats:
        """(N,)"""
        return _floats(self.network.tables["bias"])[:, 0]

    @cached_property
    def _tables(self) -> Tables:
        network = self.network
        tied, scale = network.architecture.mode == "tied", network.architecture.scale
        own = _floats(network.rows("output" if tied else "input"))
        inputs = self.output if tied and not scale else own
        return (ByteTables if self.as_bytes else FloatTables)(inputs, self.output, self.bias, tied)

    @property
    def state(self) -> int:
        """Numbers in the state of a session, S."""
        return sum(cell.states * cell.units for cell in self.network.cells)

    @property
    def recent(self) -> int:
        """Clicks that are looked back at, or whose items have something added to their scores, K."""
        return max(self.network.architecture.look_back, self.network.architecture.repeats)

    @property
    def repeats(self) -> list[float]:
        """What is added to the scores of the last clicks' items, the last one first."""
        numbers = self.network.readout.get("repeats")
        return [] if numbers is None else numbers[0].tolist()

    def write_step(self, path: Path, notes: dict[str, str]) -> Doors:
        """Write the graph of one click more: item (B,), the state (B, S) and, where last clicks count, the
        last items (B, K) -> scores (B, N), the query (B, H + 1), and both after the click."""
        nodes, last = Nodes(), ""
        kept = [Port("state", "float32", ("batch", self.state))]
        if self.recent:
            kept.append(Port("recent", "int64", ("batch", self.recent)))
        rows = self._tables.looked_up(nodes, nodes.add("Unsqueeze", "item", nodes.axis(0)))
        cuts = nodes.constant("cuts", np.array([cell.states * cell.units for cell in self.network.cells]))
        states = nodes.add_many("Split", ("state", cuts), len(self.network.cells), axis=1)
        before = [nodes.add("Unsqueeze", state, nodes.axis(0)) for state in states]
        hidden, after = self._through_layers(nodes, rows, "", before)
        state = nodes.add("Concat", *after, axis=2)
        nodes.name(nodes.add("Squeeze", state, nodes.axis(0)), "next_state")
        if self.recent:
            last = nodes.add("Concat", nodes.add("Unsqueeze", "item", nodes.axis(1)), "recent", axis=1)
            last = _first(nodes, last, self.recent)
            nodes.name(last, "next_recent")
        outputs = self._answers(nodes, hidden, last)
        outputs += [port._replace(name=f"next_{port.name}") for port in kept]
        return nodes.write(path, [Port("item", "int64", ("batch",)), *kept], outputs, notes)

    def write_session(self, path: Path, notes: dict[str, str]) -> Doors:
        """Write the graph of whole sessions: items (B, T), of which the first lengths (B,) count -> scores
        (B, N) and the query (B, H + 1)."""
        nodes, last = Nodes(), ""
        rows = self._tables.looked_up(nodes, nodes.add("Transpose", "items", perm=[1, 0]))
        lengths = nodes.add("Cast", "lengths", to=INT32)
        hidden, _ = self._through_layers(nodes, rows, lengths, ["" for _ in self.network.cells])
        if self.recent:
            ends = nodes.add("Unsqueeze", "lengths", nodes.axis(1))
            places = nodes.add("Sub", ends, nodes.constant("back", np.arange(1, self.recent + 1)))
            none = nodes.constant("none", np.array(-1))
            there = nodes.add("Greater", places, none)
            first = nodes.add("Max", places, nodes.constant("zero", np.array(0)))
            last = nodes.add("Where", there, nodes.add("GatherElements", "items", first, axis=1), none)
        outputs = self._answers(nodes, hidden, last)
        inputs = [Port("items", "int64", ("batch", "clicks")), Port("lengths", "int64", ("batch",))]
        return nodes.write(path, inputs, outputs, notes)

    def _through_layers(
        self, nodes: Nodes, rows: str, lengths: str, states: list[str]
    ) -> tuple[str, list[str]]:
        """From rows (T, B, W) to the last hidden states (B, H), and the parts of every layer's state after
        them, (1, B, H) each."""
        after: list[str] = []
        last = ""
        for place, (cell, weights) in enumerate(zip(self.network.cells, self.network.layers, strict=True)):
            arrays = {name: _floats(values) for name, values in weights.items()}
            told = (rows, lengths, states[place])
            outputs, last, *memory = add_layer(nodes, f"layers.{place}", cell, arrays, told)
            rows = nodes.add("Squeeze", outputs, nodes.axis(1))
            after += [last, *memory]
        return nodes.add("Squeeze", last, nodes.axis(0)), after

    def _with_last_rows(self, nodes: Nodes, hidden: str, last: str) -> str:
        """Hidden states (B, H) with the rows of the last items (B, K) added, -1 being none."""
        last = _first(nodes, last, self.network.architecture.look_back)
        zero = nodes.constant("zero", np.array(0))
        there = nodes.add("Cast", nodes.add("Greater", last, nodes.constant("none", np.array(-1))), to=FLOAT)
        weights = nodes.constant("readout", _floats(self.network.readout["weights"]))
        weighed = nodes.add("Unsqueeze", nodes.add("Mul", there, weights), nodes.axis(2))
        rows = self._tables.looked_up(nodes, nodes.add("Max", last, zero))
        added = nodes.add("ReduceSum", nodes.add("Mul", rows, weighed), nodes.axis(1), keepdims=0)
        return nodes.add("Add", hidden, added)

    def _with_repeats(self, nodes: Nodes, scores: str, last: str) -> str:
        """Scores (B, N) with what is added to those of the last items (B, K), each once, -1 being none."""
        numbers = _floats(self.network.readout["repeats"])
        last, count = _first(nodes, last, numbers.shape[1]), numbers.shape[1]
        pairs = [nodes.add("Unsqueeze", last, nodes.axis(axis)) for axis in (2, 1)]
        alike = nodes.add("Cast", nodes.add("Equal", *pairs), to=FLOAT)  # (B, R, R)
        later = nodes.constant("later", np.tril(np.ones((count, count), np.float32), -1))
        again = nodes.add("ReduceMax", nodes.add("Mul", alike, later), axes=[2], keepdims=0)
        once = nodes.add("Sub", nodes.constant("one", np.array(1, np.float32)), again)
        there = nodes.add("Cast", nodes.add("Greater", last, nodes.constant("none", np.array(-1))), to=FLOAT)
        added = nodes.add("Mul", nodes.add("Mul", once, there), nodes.constant("repeats", numbers))
        places = nodes.add("Max", last, nodes.constant("zero", np.array(0)))
        return nodes.add("ScatterElements", scores, places, added, axis=1, reduction="add")

    def _answers(self, nodes: Nodes, hidden: str, last: str) -> list[Port]:
        """Scores and queries of hidden states (B, H) and the last items (B, K), -1 being none."""
        if self.network.architecture.look_back:
            hidden = self._with_last_rows(nodes, hidden, last)
        asking, units = hidden, self.output.shape[1]
        if self.network.architecture.scale:
            squares = nodes.add("ReduceSum", nodes.add("Mul", hidden, hidden), nodes.axis(1), keepdims=1)
            shortest = nodes.constant("shortest", np.array(SHORTEST, np.float32))
            asking = nodes.add("Div", hidden, nodes.add("Max", nodes.add("Sqrt", squares), shortest))
        ports = []
        if self.scored:
            scores = self._tables.scores(nodes, asking)
            if self.network.architecture.repeats:
                scores = self._with_repeats(nodes, scores, last)
            nodes.name(scores, "scores")
            ports.append(Port("scores", "float32", ("batch", len(self.bias))))
        one = nodes.constant("one", np.array(1, np.float32))
        nodes.name(nodes.add("Pad", asking, nodes.constant("behind", np.array([0, 0, 0, 1])), one), "query")
        return [*ports, Port("query", "float32", ("batch", units + 1))]


def _first(nodes: Nodes, items: str, count: int) -> str:
    """The first columns of some items (B, K)."""
    end = nodes.constant(f"first_{count}", np.array([count]))
    return nodes.add("Slice", items, nodes.axis(0), end, nodes.axis(1))


def _floats(values: Tensor) -> Floats:
    found: Floats = values.cpu().numpy()
    return found
