"""Recurrent layers in ONNX's terms: its GRU, LSTM and RNN, with our weights in its order of gates."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.exporting.nodes import Nodes
from recsys_gru.model.cells import Cell

Floats = NDArray[np.float32]


class Kind(NamedTuple):
    """How a cell of ours is told."""

    operator: str
    gates: tuple[int, ...]
    """Of each of ONNX's gates, which one of ours it is."""
    parts: tuple[str, ...]
    """The recurrent matrices, one below the other in our order of gates."""
    turned: int | None = None
    """The gate of ONNX's that is 1 - ours: sigmoid(-x) = 1 - sigmoid(x)."""
    attributes: dict[str, Any] = {}  # noqa: RUF012 - of a named tuple, never written to


KINDS = {
    "GRU": Kind("GRU", (1, 0, 2), ("recurrent",), None, {"linear_before_reset": 1}),
    "GRUResetBefore": Kind("GRU", (2, 1, 0), ("candidate", "recurrent"), 0, {"linear_before_reset": 0}),
    "LSTM": Kind("LSTM", (0, 3, 1, 2), ("recurrent",)),
    "RNN": Kind("RNN", (0,), ("recurrent",)),
}


def add_layer(
    nodes: Nodes,
    name: str,
    cell: Cell,
    weights: dict[str, Floats],
    inputs: tuple[str, str, str],
) -> list[str]:
    """Add a layer over rows (T, B, W), lengths (B,) or "" for T, and a state (1, B, states * H) or "" for
    zeros; returns its outputs (T, 1, B, H), and its state's parts after it, (1, B, H) each.
    """
    rows, lengths, state = inputs
    kind, units = KINDS[type(cell).__name__], cell.units
    width = cell.gates * units
    told = (
        nodes.constant(f"{name}.W", _in_order(kind, weights.get("input", np.eye(width, dtype=np.float32)))),
        nodes.constant(f"{name}.R", _in_order(kind, np.concatenate([weights[part] for part in kind.parts]))),
        nodes.constant(f"{name}.B", _biases(kind, weights, width)),
    )
    before: list[str] = []
    if state:
        cuts = nodes.constant(f"{name}.parts", np.full(cell.states, units, np.int64))
        before = nodes.add_many("Split", (state, cuts), cell.states, axis=2)
    given = (rows, *told, lengths, *before)
    return nodes.add_many(kind.operator, given, 1 + cell.states, hidden_size=units, **kind.attributes)


def _in_order(kind: Kind, matrix: Floats) -> Floats:
    """A matrix (G * H, D) of gates, or biases (G * H,), in ONNX's order, (1, G * H, ...)."""
    ours = np.split(matrix, len(kind.gates))
    theirs = [-ours[gate] if place == kind.turned else ours[gate] for place, gate in enumerate(kind.gates)]
    return np.concatenate(theirs)[None]


def _biases(kind: Kind, weights: dict[str, Floats], width: int) -> Floats:
    """(1, 2 G * H): those of the input's share, then the recurrent ones."""
    of_input = weights.get("input_bias", np.zeros(width, np.float32))
    recurrent = np.concatenate([weights[f"{part}_bias"] for part in kind.parts])
    return np.concatenate([_in_order(kind, of_input), _in_order(kind, recurrent)], 1)
