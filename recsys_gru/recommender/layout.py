"""The saved arrays of a network: what they must be, told by its hyper-parameters, and how they come back."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.facts import Encoding, Moments
from recsys_gru.files import Field, Layout
from recsys_gru.model.architecture import Architecture
from recsys_gru.model.cells import Cell
from recsys_gru.model.facts import Facts
from recsys_gru.model.network import Network
from recsys_gru.model.optimisers import OPTIMISERS, Slots
from recsys_gru.training import Settings

NEVER_BELOW_ZERO = ("sums", "count")
"""Parts of an optimiser's memory that are sums of squares, or count."""


def network_layout(settings: Settings) -> Layout:
    """Every parameter, and in its shape what optimisers remember of it: `optimizer` may be another by now."""
    fields: dict[str, Field] = {}
    for name, shape in parameter_shapes(settings.architecture(0)).items():
        fields |= _with_slots(name, shape)
    labels = _with_slots("moment.labels", ("M", settings.layers[-1]))
    labels = {name: replace(field, optional=True) for name, field in labels.items()}
    return {**fields, **_facts_layout(settings.architecture(0)), **labels, **Moments.layout()}


def _with_slots(name: str, shape: tuple[int | str, ...]) -> dict[str, Field]:
    """A parameter and its optimiser's memory."""
    fields = {f"weights/{name}": Field("float32", shape)}
    for slot in sorted({slot for kind in OPTIMISERS.values() for slot in kind.slot_names}):
        low = 0 if slot in NEVER_BELOW_ZERO else None
        fields[f"slots/{name}/{slot}"] = Field("float32", shape, low=low, optional=True)
    return fields


def _facts_layout(architecture: Architecture) -> dict[str, Field]:
    """What is known about the items, what it adds to their rows, and how it became what it is; L labels, V
    numbers."""
    fields = {
        "items/offsets": Field("int64", ("N+1",), ends="entries"),
        "items/labels": Field("int32", ("entries",), low=0, below="L"),
        "items/weights": Field("float32", ("entries",)),
        "items/numbers": Field("float32", ("N", "V")),
        "items/level": Field("float32", (1,)),
    }
    for table, (_, width) in item_shapes(architecture).items():
        for name, length in (("labels", "L"), ("projection", "V")):
            if table != "bias":
                fields |= _with_slots(f"facts.{table}.{name}", (length, width))
    fields |= Encoding.layout()
    return {name: replace(field, optional=True) for name, field in fields.items()}


def arrays_of(network: Network, slots: Mapping[str, Slots]) -> dict[str, NDArray[np.generic]]:
    """The arrays of a network and of its optimiser's memory, by the names of the layout."""
    facts = {} if network.facts is None else network.facts._asdict()
    known = {f"items/{name}": values for name, values in facts.items()}
    if network.level:
        known["items/level"] = np.array([network.level], np.float32)
    state = {f"weights/{name}": values for name, values in network.parameters()}
    for name, memory in slots.items():
        state |= {f"slots/{name}/{slot}": values for slot, values in memory.items()}
    return {name: values.cpu().numpy() for name, values in state.items()} | known


def network_of(
    state: Mapping[str, NDArray[np.generic]], architecture: Architecture, device: torch.device
) -> tuple[Network, dict[str, Slots]]:
    """The network and the memory that these arrays, which are as the layout says, came from; it goes on in
    them."""
    tensors = {name: torch.from_numpy(values) for name, values in state.items()}
    network = Network(replace(architecture, n_items=0), generator=torch.Generator())
    network.architecture = architecture
    network.tables = {name: tensors[f"weights/{name}"] for name in network.tables}
    if facts := [state[f"items/{name}"].copy() for name in Facts._fields if f"items/{name}" in state]:
        network.know(Facts(*facts), len(state["weights/facts.output.labels"]))  # type: ignore[arg-type]
        network.level = float(state.get("items/level", np.zeros(1))[0])
    if (labels := state.get("weights/moment.labels")) is not None:
        network.feel(len(labels))
    for name, parameter in network.parameters():
        if name not in network.tables:
            parameter.copy_(tensors[f"weights/{name}"])
    network = network.to(device)
    return network, slots_in(tensors, [name for name, _ in network.parameters()], device)


def slots_in(
    tensors: Mapping[str, Tensor], parameters: Iterable[str], device: torch.device
) -> dict[str, Slots]:
    """The optimiser's memory of each parameter."""
    found: dict[str, Slots] = {name: {} for name in parameters}
    for key, values in tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "slots":
            name, slot = rest.rsplit("/", 1)
            found[name][slot] = values.to(device)
    return found


def parameter_shapes(architecture: Architecture) -> dict[str, tuple[int | str, ...]]:
    """The shapes that ``Network`` gives its parameters; N stands for the items.

    >>> parameter_shapes(Architecture(5, (2,), "tied"))["layers.0.recurrent"]
    (6, 2)
    """
    cells = architecture.cells()
    shapes: dict[str, tuple[int | str, ...]] = {**item_shapes(architecture)}
    for name, count in {"weights": architecture.look_back, "repeats": architecture.repeats}.items():
        if count:
            shapes[f"readout.{name}"] = (1, count)
    for i, (cell, width) in enumerate(zip(cells, architecture.input_widths(), strict=True)):
        for name, shape in _layer_shapes(cell, width).items():
            shapes[f"layers.{i}.{name}"] = shape
    return shapes


def item_shapes(architecture: Architecture) -> dict[str, tuple[str, int]]:
    """The shapes of the item tables."""
    first = architecture.cells()[0]
    shapes = {"output": ("N", architecture.layers[-1]), "bias": ("N", 1)}
    if architecture.mode != "tied":
        separate = architecture.mode == "separate"
        shapes["input"] = ("N", architecture.embedding if separate else first.gates * first.units)
    return shapes


def _layer_shapes(cell: Cell, width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    if width:
        shapes["input"] = (cell.gates * cell.units, width)
        if cell.input_bias:
            shapes["input_bias"] = (cell.gates * cell.units,)
    for name, gates in cell.matrices.items():
        shapes[name] = (gates * cell.units, cell.units)
        shapes[f"{name}_bias"] = (gates * cell.units,)
    return shapes
