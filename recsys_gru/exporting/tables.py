"""The item tables of a graph: rows that are looked up, rows that are scored by, as floats or as bytes."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_gru.exporting.nodes import BYTE, FLOAT, Nodes

Floats = NDArray[np.float32]
MIDDLE = 128
"""The byte that stands for 0. Bytes without a sign on both sides: on processors without VNNI, products of
bytes with and without a sign overflow in onnxruntime."""
TINY = np.float32(1e-30)
"""Stands for the length of a row of zeros."""


class Tables(Protocol):
    """What a graph asks of item tables."""

    def looked_up(self, nodes: Nodes, items: str) -> str:
        """Rows (P, Q, W) of items (P, Q)."""

    def scores(self, nodes: Nodes, asking: str) -> str:
        """Scores (B, N) of what is asked for (B, H)."""


class FloatTables(NamedTuple):
    """As they are; where rows are looked up and scored by alike, there is one table."""

    inputs: Floats
    output: Floats
    bias: Floats
    tied: bool
    """Whether input and output rows have the same directions."""

    def looked_up(self, nodes: Nodes, items: str) -> str:
        name = "output" if self.inputs is self.output else "input"
        return nodes.add("Gather", nodes.constant(name, self.inputs), items)

    def scores(self, nodes: Nodes, asking: str) -> str:
        output, bias = nodes.constant("output", self.output), nodes.constant("bias", self.bias)
        return nodes.add("Gemm", asking, output, bias, transB=1)


class ByteTables(NamedTuple):
    """A byte for each number, and for each row what a byte stands for; rows of one direction have the same
    bytes. Biases stay floats.

    What is asked for becomes bytes too, each row with a measure of its own: answers do not depend on what is
    asked beside them.
    """

    inputs: Floats
    output: Floats
    bias: Floats
    tied: bool

    def looked_up(self, nodes: Nodes, items: str) -> str:
        name = "output" if self.tied else "input"
        table = nodes.constant(f"{name}.bytes", _bytes(self.output if self.tied else self.inputs).T)
        picked = nodes.add("Gather", table, items, axis=1)  # (W, T, B)
        numbers = _centred(nodes, nodes.add("Transpose", picked, perm=[1, 2, 0]))
        measure = nodes.add("Gather", nodes.constant("input.measures", _measures(self.inputs)), items)
        return nodes.add("Mul", numbers, nodes.add("Unsqueeze", measure, nodes.axis(2)))

    def scores(self, nodes: Nodes, asking: str) -> str:
        table = nodes.constant("output.bytes", _bytes(self.output).T)
        largest = nodes.add("ReduceMax", nodes.add("Abs", asking), axes=[1], keepdims=1)
        most = nodes.constant("most", np.array(127, np.float32))
        measure = nodes.add("Div", largest, most)
        measure = nodes.add("Max", measure, nodes.constant("tiny", np.array(TINY)))
        rounded = nodes.add("Round", nodes.add("Div", asking, measure))
        moved = nodes.add("Add", rounded, nodes.constant("middle.float", np.array(MIDDLE, np.float32)))
        middle = nodes.constant("middle", np.array(MIDDLE, np.uint8))
        asked = nodes.add("Cast", moved, to=BYTE)
        whole = nodes.add("MatMulInteger", asked, table, middle, middle)
        scored = nodes.add("Mul", nodes.add("Cast", whole, to=FLOAT), measure)
        scored = nodes.add("Mul", scored, nodes.constant("output.measures", _measures(self.output)))
        return nodes.add("Add", scored, nodes.constant("bias", self.bias))


def _measures(rows: Floats) -> Floats:
    """What a byte stands for in each row (N,) of (N, D)."""
    measures: Floats = np.maximum(np.abs(rows).max(1), TINY) / np.float32(127)
    return measures


def _bytes(rows: Floats) -> NDArray[np.uint8]:
    """Rows (N, D) as bytes."""
    found: NDArray[np.uint8] = (np.rint(rows / _measures(rows)[:, None]) + MIDDLE).astype(np.uint8)
    return found


def _centred(nodes: Nodes, numbers: str) -> str:
    """Bytes as floats around zero."""
    floats = nodes.add("Cast", numbers, to=FLOAT)
    return nodes.add("Sub", floats, nodes.constant("middle.float", np.array(MIDDLE, np.float32)))
