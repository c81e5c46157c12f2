"""Arrays in the safetensors format: the table of the file is checked before an array is made of its bytes."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from mmap import mmap
from pathlib import Path
from typing import BinaryIO, Protocol, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.errors import InputError
from recsys_gru.files.checked_json import require_kind, strict_json
from recsys_gru.files.regular import fill, require_room

DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4"}
"""The types of numbers that the library writes; there are no others in its files."""
FIRST_KINDS = ("I64", "F64", "F32", "I32")
"""In which order they are written, so that each lies at a multiple of its size."""
LONGEST_HEAD = 16 << 20
LENGTH = 8
"""Bytes of the number that tells how long the table is."""
NOTES = "__metadata__"
MOST_AXES = 8


@final
@dataclass(frozen=True)
class ArrayHead:
    """What the table tells of an array: the type of its numbers, its shape, and where its bytes begin."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    begin: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.dtype.itemsize * prod(self.shape)


class Stretched(Protocol):
    """An array that comes in stretches, one after the other along its first axis."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    def __iter__(self) -> Iterator[NDArray[np.generic]]: ...


def write_arrays(
    write: Callable[[bytes | memoryview], object],
    arrays: Mapping[str, NDArray[np.generic] | Stretched],
) -> None:
    """Write arrays as the safetensors library does, to the same bytes, without a copy of any of them.

    Raises:
        InputError: if one is of numbers that are not in the library's files.

    >>> data = bytearray()
    >>> write_arrays(data.extend, {"a": np.arange(3)})
    >>> arrays_of(data)[0]["a"].tolist()
    [0, 1, 2]
    """
    kinds = {name: _kind(name, values.dtype) for name, values in arrays.items()}
    table, end = {}, 0
    for name in (order := sorted(arrays, key=lambda name: (FIRST_KINDS.index(kinds[name]), name))):
        shape = arrays[name].shape or (1,)
        begin, end = end, end + arrays[name].dtype.itemsize * prod(shape)
        table[name] = {"dtype": kinds[name], "shape": shape, "data_offsets": (begin, end)}
    head = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    head += b" " * (-len(head) % LENGTH)
    write(len(head).to_bytes(LENGTH, "little") + head)
    for name in order:
        values = arrays[name]
        for part in [values] if isinstance(values, np.ndarray) else values:
            write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)


def _kind(name: str, dtype: np.dtype[np.generic]) -> str:
    for kind, known in DTYPES.items():
        if dtype == known:
            return kind
    raise InputError(f"expected the array {name!r} as one of {', '.join(DTYPES)}; got {dtype}")


def heads_in(file: BinaryIO) -> dict[str, ArrayHead]:
    """The table of an open file, of which nothing else is read.

    Raises:
        InputError: if it does not tell of the whole file and of nothing else.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    head = file.read(LENGTH)
    length = min(int.from_bytes(head, "little"), LONGEST_HEAD)
    return heads_of(head + file.read(length), size)[0]


def heads_of(data: bytes | bytearray | mmap, size: int) -> tuple[dict[str, ArrayHead], Mapping[str, str]]:
    """The table and the notes at the beginning of ``data``, of a file of ``size`` bytes.

    Raises:
        InputError: if it does not tell of the whole file and of nothing else.
    """
    length = int.from_bytes(data[:LENGTH], "little")
    first = LENGTH + length
    if len(data) < LENGTH or length > LONGEST_HEAD or first > min(size, len(data)):
        raise InputError("expected arrays in the safetensors format: its table does not fit into the file")
    table = require_kind(strict_json(data[LENGTH:first]), {str: object}, "the table of arrays")
    notes = require_kind(table.pop(NOTES, {}), {str: str}, NOTES)
    heads = {name: _head(name, entry, first) for name, entry in table.items()}
    end = first
    for head in sorted(heads.values(), key=lambda head: (head.begin, head.size)):
        if head.begin != end:
            raise InputError(f"expected arrays one after the other, got a gap or overlap at byte {end}")
        end += head.size
    if end != size:
        raise InputError(f"expected {end:,} bytes of arrays and their table, got {size:,}")
    return heads, notes


def arrays_of(data: bytearray | mmap) -> tuple[dict[str, NDArray[np.generic]], Mapping[str, str]]:
    """The arrays by name, views of these bytes, and the notes beside them.

    Raises:
        InputError: if the table does not tell of all the bytes and of nothing else.
    """
    heads, notes = heads_of(data, len(data))
    return {name: _array(data, head) for name, head in heads.items()}, notes


def arrays_in(
    file: BinaryIO, path: Path, seen: Callable[[bytes | memoryview], object]
) -> dict[str, NDArray[np.generic]]:
    """The arrays of an open file by name, each in memory of its own; every byte that is read is `seen`, in
    order.

    Raises:
        InputError: as `arrays_of` does, or if the file is larger than this machine's memory, or changed
            meanwhile.
    """
    size = require_room(file, path)
    file.seek(0)
    first = file.read(LENGTH)
    table = first + file.read(min(int.from_bytes(first, "little"), LONGEST_HEAD))
    seen(table)
    found = {}
    for name, head in sorted(heads_of(table, size)[0].items(), key=lambda one: one[1].begin):
        found[name] = np.empty(head.shape, head.dtype)
        room = found[name].reshape(-1).view(np.uint8).data
        fill(file, room, path)
        seen(room)
    if file.read(1):
        raise InputError(f"{path} changed while it was read: expected {size:,} bytes")
    return found


def _array(data: bytearray | mmap, head: ArrayHead) -> NDArray[np.generic]:
    if not prod(head.shape):
        return np.empty(head.shape, head.dtype)
    flat = np.frombuffer(data, head.dtype, prod(head.shape), head.begin)
    return np.require(flat.reshape(head.shape), requirements="A")


def _head(name: str, entry: object, first: int) -> ArrayHead:
    kinds = {"dtype": str, "shape": [int], "data_offsets": [int]}
    told = require_kind(entry, kinds, f"the array {name!r}")
    shape, offsets = tuple(told["shape"]), told["data_offsets"]
    if told["dtype"] not in DTYPES or len(shape) > MOST_AXES or len(offsets) != 2:
        raise InputError(f"expected the array {name!r} as one of {', '.join(DTYPES)}; got {told}")
    head = ArrayHead(np.dtype(DTYPES[told["dtype"]]), shape, first + offsets[0])
    if head.size != offsets[1] - offsets[0] or max(shape, default=0) >= 1 << 48:
        raise InputError(f"the array {name!r} of shape {shape} does not have {offsets[1] - offsets[0]} bytes")
    return head
