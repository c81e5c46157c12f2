"""What the arrays of a file must be, told as a table and checked before any of them is used.

A compiled loop believes every index that it is given; here is where they are looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.errors import InputError
from recsys_gru.files.arrays import ArrayHead

CHUNK = 1 << 20


@final
@dataclass(frozen=True)
class Field:
    """What one array must be; numbers with a fraction must be finite besides.

    Attributes:
        dtype: of its numbers, as NumPy names it.
        shape: of each axis the length, or a letter that stands for one length in the whole table, or a letter
            and ``+1``.
        low: the least value.
        below: a letter whose length all values stay below.
        order: how neighbours follow each other; equal ones are allowed.
        ends: a letter: the values are places among so many entries, the first is 0 and the last that length.
        parts: name of the array whose places bound parts, within each of which the values rise.
        optional: whether it may be left out.
    """

    dtype: str
    shape: tuple[int | str, ...]
    low: float | None = None
    below: str | None = None
    order: Literal["any", "rising", "falling"] = "any"
    ends: str | None = None
    parts: str | None = None
    optional: bool = False


Layout: TypeAlias = Mapping[str, Field]
"""Every array by its name; arrays of other names do not belong."""


def require_shapes(layout: Layout, heads: Mapping[str, ArrayHead], **known: int) -> dict[str, int]:
    """Check names, types and shapes; this looks at no value, so that it can come before anything is read.

    Args:
        known: lengths that are known by letter.

    Returns:
        The lengths of all letters.

    Raises:
        InputError: naming the first array that is not as it must be.
    """
    missing = [name for name, field in layout.items() if not field.optional and name not in heads]
    if strange := missing + [name for name in heads if name not in layout]:
        needed = [name for name, field in layout.items() if not field.optional]
        raise InputError(f"expected the arrays {', '.join(needed)}; missing or unknown: {strange[:5]}")
    lengths = dict(known)
    for name, field in layout.items():
        if name not in heads:
            continue
        head = heads[name]
        if str(head.dtype) != field.dtype:
            raise InputError(f"expected the array {name!r} of {field.dtype}, got {head.dtype}")
        if len(head.shape) != len(field.shape) or not all(
            _length_fits(axis, length, lengths) for axis, length in zip(field.shape, head.shape, strict=True)
        ):
            wanted = ", ".join(str(_known(axis, lengths)) for axis in field.shape)
            raise InputError(f"expected the array {name!r} of shape ({wanted}), got {head.shape}")
    return lengths


def require_values(
    layout: Layout, arrays: Mapping[str, NDArray[np.generic]], lengths: Mapping[str, int]
) -> None:
    """Check every value of arrays whose shapes are checked.

    Raises:
        InputError: naming the first array with a value that cannot be.
    """
    for name, field in layout.items():
        if name not in arrays:
            continue
        values: NDArray[np.generic] = arrays[name]
        if not all(_chunk_holds(field, part, lengths) for part in _chunks(values)):
            bounds = "" if field.low is None else f" of at least {field.low}"
            bounds += "" if field.below is None else f" below {lengths[field.below]}"
            raise InputError(f"expected finite numbers{bounds} in the array {name!r}")
        if not _order_holds(field, values):
            raise InputError(f"expected {field.order} values in the array {name!r}")
        if field.ends is not None and not _bounds_whole(values, lengths[field.ends]):
            raise InputError(f"expected rising places from 0 to {lengths[field.ends]} in the array {name!r}")
        if field.parts is not None and not _parts_rise(values, arrays[field.parts]):
            raise InputError(f"expected values that rise within each part in the array {name!r}")


def _length_fits(axis: int | str, length: int, lengths: dict[str, int]) -> bool:
    """Whether an axis has its length; the first one of a letter says what it stands for."""
    if isinstance(axis, int):
        return axis == length
    letter, _, more = axis.partition("+")
    length -= int(more or 0)
    return length >= 0 and lengths.setdefault(letter, length) == length


def _known(axis: int | str, lengths: Mapping[str, int]) -> int | str:
    if isinstance(axis, int):
        return axis
    letter, _, more = axis.partition("+")
    return lengths[letter] + int(more or 0) if letter in lengths else axis


def _chunks(values: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    flat = values.reshape(-1)
    return (flat[start : start + CHUNK] for start in range(0, len(flat), CHUNK))


def _chunk_holds(field: Field, part: NDArray[np.generic], lengths: Mapping[str, int]) -> bool:
    numbers: NDArray[np.float64] = part  # type: ignore[assignment]
    least, most = numbers.min(), numbers.max()  # NaN if any is
    return bool(
        np.isfinite(least)
        and np.isfinite(most)
        and (field.low is None or least >= field.low)
        and (field.below is None or most < lengths[field.below])
    )


def _order_holds(field: Field, values: NDArray[np.generic]) -> bool:
    if field.order == "any":
        return True
    numbers: NDArray[np.float64] = values  # type: ignore[assignment]
    return bool(
        (numbers[1:] >= numbers[:-1] if field.order == "rising" else numbers[1:] <= numbers[:-1]).all()
    )


def _bounds_whole(values: NDArray[np.generic], length: int) -> bool:
    places: NDArray[np.int64] = values  # type: ignore[assignment]
    return bool(len(places) and places[0] == 0 and places[-1] == length and (places[1:] >= places[:-1]).all())


def _parts_rise(values: NDArray[np.generic], bounds: NDArray[np.generic]) -> bool:
    """``bounds`` is checked already if it stands before the array in the table."""
    numbers: NDArray[np.int64] = values  # type: ignore[assignment]
    rises = numbers[1:] > numbers[:-1]
    begins: NDArray[np.int64] = bounds[1:-1]  # type: ignore[assignment]
    rises[begins[(begins > 0) & (begins < len(numbers))] - 1] = True
    return bool(rises.all())
