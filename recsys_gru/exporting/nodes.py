"""An ONNX graph under construction: nodes in the order of reckoning, constants by name."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""Of the standard operators: old enough for most runtimes, and with all that is needed."""
IR_VERSION = 8
"""Of the file, as of the release that brought this opset."""
LARGEST = 1_900_000_000
"""Bytes of a graph in one file; protobuf ends at 2 GiB, more go into NAME.data beside it."""
FLOAT, BYTE, INT32 = int(TensorProto.FLOAT), int(TensorProto.UINT8), int(TensorProto.INT32)
KINDS = {"int64": int(TensorProto.INT64), "float32": FLOAT}


class Port(NamedTuple):
    """An input or output: its name, kind and axes, an axis being a number or the name of any."""

    name: str
    kind: str
    axes: tuple[int | str, ...]


Doors = tuple[list[Port], list[Port]]
"""Inputs and outputs of a graph."""


class Nodes:
    """The graph so far; what is made is told by its name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's own
        """Add a node of one output."""
        (made,) = self.add_many(kind, inputs, 1, **attributes)
        return made

    def add_many(
        self,
        kind: str,
        inputs: tuple[str, ...],
        count: int,
        **attributes: Any,  # noqa: ANN401
    ) -> list[str]:
        """Add a node of some outputs."""
        made = [f"{kind.lower()}_{len(self._nodes)}_{place}" for place in range(count)]
        self._nodes.append(helper.make_node(kind, list(inputs), made, **attributes))
        return made

    def name(self, made: str, name: str) -> None:
        """Give an output of the graph its name."""
        self._nodes.append(helper.make_node("Identity", [made], [name]))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """A constant of this name; the same name is the same constant."""
        self._constants.setdefault(name, values)
        return name

    def axis(self, number: int) -> str:
        """A constant that names an axis."""
        return self.constant(f"axis_{number}", np.array([number], np.int64))

    def write(self, path: Path, inputs: list[Port], outputs: list[Port], notes: dict[str, str]) -> Doors:
        """Check the graph and write it; what was there is replaced."""
        constants = [
            numpy_helper.from_array(np.ascontiguousarray(values), name)
            for name, values in self._constants.items()
        ]
        given, made = ([_told(port) for port in ports] for ports in (inputs, outputs))
        graph = helper.make_graph(self._nodes, path.stem, given, made, constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="recsys-gru")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, notes)
        size = sum(values.nbytes for values in self._constants.values())
        apart, beside = size > LARGEST, f"{path.name}.data"
        (path.parent / beside).unlink(missing_ok=True)  # onnx appends to one that is there
        onnx.save_model(model, str(path), save_as_external_data=apart, location=beside)
        onnx.checker.check_model(str(path), full_check=True)
        return inputs, outputs


def _told(port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(port.name, KINDS[port.kind], list(port.axes))
