"""What a model's arrays are beside those of an older one, its base: the rows that are others now.

In a file of changes ``rows/NAME`` (R,) are the numbers of an array's changed rows, rising, and
``values/NAME`` (R, ...) what they are; those from the base's length on lie behind it. An array most of which
is another is there whole, as ``whole/NAME``; one that is not named is as it was.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.errors import InputError
from recsys_gru.files import ArrayHead

Arrays: TypeAlias = Mapping[str, NDArray[np.generic]]

ROWS: Final = "rows"
VALUES: Final = "values"
WHOLE: Final = "whole"
MOST: Final = 0.5
"""Changes of more than this share of the model's bytes are not worth while: a new base is written."""
CHUNK: Final = 1 << 18
"""Bytes compared or picked at a time: they stay in the processor's cache."""


@final
class Picked:
    """Some rows (R,) of an array, picked a few at a time as they are written."""

    def __init__(self, values: NDArray[np.generic], rows: NDArray[np.int64]) -> None:
        self.values, self.rows = values, rows
        self.dtype, self.shape = values.dtype, (len(rows), *values.shape[1:])

    def __iter__(self) -> Iterator[NDArray[np.generic]]:
        step = _rows_at_once(self.values)
        for start in range(0, len(self.rows), step):
            yield self.values[self.rows[start : start + step]]

    @property
    def nbytes(self) -> int:
        """Of all these rows."""
        return len(self.rows) * self.values.nbytes // len(self.values)


Changes: TypeAlias = Mapping[str, NDArray[np.generic] | Picked]


def changes_between(base: Arrays, now: Arrays) -> Changes | None:
    """What makes the one model of the other, ``changed`` back to the bit; None where a new base is better.

    >>> base = {"table": np.zeros((9, 2)), "same": np.ones(3)}
    >>> now = {"table": np.eye(10, 2), "same": np.ones(3)}
    >>> found = changes_between(base, now | {"table": np.concatenate([np.zeros((9, 2)), np.ones((1, 2))])})
    >>> sorted(found), found["rows/table"]
    (['rows/table', 'values/table'], array([9]))
    """
    if base.keys() != now.keys():
        return None
    found: dict[str, NDArray[np.generic] | Picked] = {}
    room = MOST * sum(values.nbytes for values in now.values())
    for name, values in now.items():
        changes = _changes_of(name, base[name], values)
        room -= sum(part.nbytes for part in changes.values())
        if room < 0:
            return None
        found |= changes
    return found


def changed(base: Arrays, changes: Arrays) -> dict[str, NDArray[np.generic]]:
    """The arrays after the changes, which fit them; those of the base are changed in place where they can."""
    arrays = dict(base)
    for key, found in changes.items():
        kind, _, name = key.partition("/")
        if kind == WHOLE:
            arrays[name] = found
        elif kind == ROWS:
            rows, values = found.astype(np.int64), changes[f"{VALUES}/{name}"]
            behind = values[rows >= len(arrays[name])]
            if len(behind):
                arrays[name] = np.concatenate([arrays[name], behind])
            arrays[name][rows] = values
    return arrays


def heads_after(base: Mapping[str, ArrayHead], changes: Arrays) -> dict[str, ArrayHead]:
    """What the arrays of a base will be after these changes, whose every row is looked at.

    Raises:
        InputError: if the changes are none of such arrays.
    """
    heads = dict(base)
    for key, values in changes.items():
        kind, _, name = key.partition("/")
        if name not in base or kind not in (ROWS, VALUES, WHOLE):
            raise InputError(f"the change {key!r} is none of an array of the base")
        if kind == WHOLE:
            heads[name] = ArrayHead(values.dtype, values.shape, 0)
        elif kind == VALUES:
            rows = changes.get(f"{ROWS}/{name}")
            if rows is None or not _fits(base[name], rows, values):
                raise InputError(f"the changed rows of {name!r} are not those of the base's array")
            shape = (max(base[name].shape[0], int(rows[-1]) + 1), *values.shape[1:])
            heads[name] = ArrayHead(values.dtype, shape, 0)
        elif f"{VALUES}/{name}" not in changes or f"{WHOLE}/{name}" in changes:
            raise InputError(f"the changed rows of {name!r} have no values, or too many")
    return heads


def _fits(base: ArrayHead, rows: NDArray[np.generic], values: NDArray[np.generic]) -> bool:
    """Whether these are some rows of an array and, without a gap, more behind it."""
    if rows.dtype != np.int64 or rows.ndim != 1 or not len(rows) or not base.shape:
        return False
    if values.dtype != base.dtype or values.shape != (len(rows), *base.shape[1:]):
        return False
    numbers: NDArray[np.int64] = rows  # type: ignore[assignment]
    end = base.shape[0] + int((numbers >= base.shape[0]).sum())
    return bool(numbers[0] >= 0 and (numbers[1:] > numbers[:-1]).all() and numbers[-1] < end)


def _changes_of(name: str, base: NDArray[np.generic], now: NDArray[np.generic]) -> Changes:
    alike = base.dtype == now.dtype and base.shape[1:] == now.shape[1:] and base.ndim and now.ndim
    if not alike or len(now) < len(base):
        return {f"{WHOLE}/{name}": now}
    unlike = _unlike(base, now[: len(base)], int(MOST * len(now)) - len(now) + len(base))
    if unlike is None:
        return {f"{WHOLE}/{name}": now}
    rows = np.concatenate([unlike, np.arange(len(base), len(now))])
    return {f"{ROWS}/{name}": rows, f"{VALUES}/{name}": Picked(now, rows)} if len(rows) else {}


def _unlike(one: NDArray[np.generic], other: NDArray[np.generic], most: int) -> NDArray[np.int64] | None:
    """The numbers of the rows whose bits are not the same; None if they are more than `most`."""
    word, step = f"u{one.itemsize}", _rows_at_once(one)
    found, count = [np.empty(0, np.int64)], 0
    for start in range(0, len(one), step):
        parts = (np.ascontiguousarray(each[start : start + step]) for each in (one, other))
        bits, others = (part.reshape(len(part), -1).view(word) for part in parts)
        unlike = bits != others
        found.append(start + np.flatnonzero(unlike[:, 0] if unlike.shape[1] == 1 else unlike.any(1)))
        count += len(found[-1])
        if count > most:
            return None
    return np.concatenate(found) if count <= most else None


def _rows_at_once(values: NDArray[np.generic]) -> int:
    return max(1, CHUNK * len(values) // max(values.nbytes, 1))
