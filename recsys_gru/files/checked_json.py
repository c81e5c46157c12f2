"""JSON that others may have written: no key twice, no deep nesting, and every value of the kind expected."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from recsys_gru.errors import InputError

DEEPEST = 32
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)

Kind: TypeAlias = object
"""What a value must be.

``str``, ``bool``, ``float`` (any finite number), ``int`` (0 or more) or ``object`` (anything); a list with
the kind of all its entries; a mapping with the kind of every key's value, or under the one key ``str`` the
kind of all values.
"""


def strict_json(data: bytes | bytearray) -> object:
    """The value of a JSON text.

    Raises:
        InputError: if it is no JSON, has a key twice, NaN or infinity, or is nested beyond reason.

    >>> strict_json(b'{"a": [1]}')
    {'a': [1]}
    """
    _require_shallow(data)
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unlike_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError, OverflowError) as error:
        raise InputError(f"expected JSON: {error}") from error


def require_kind(value: object, kind: Kind, place: str = "content") -> Any:  # noqa: ANN401 - of the kind asked
    """The value, which is what it must be.

    Raises:
        InputError: naming the place of the first value that is not.

    >>> require_kind({"a": 1, "b": [2.5]}, {"a": int, "b": [float]})
    {'a': 1, 'b': [2.5]}
    """
    if isinstance(kind, list):
        _require_plain(value, list, place)
        for number, entry in enumerate(cast("list[object]", value)):
            require_kind(entry, kind[0], f"{place}[{number}]")
    elif isinstance(kind, Mapping):
        _require_plain(value, dict, place)
        _require_entries(cast("dict[str, object]", value), kind, place)
    else:
        _require_plain(value, cast("type", kind), place)
    return value


def _require_entries(value: dict[str, object], kind: Mapping[Any, Kind], place: str) -> None:
    if str in kind:
        kinds: Mapping[str, Kind] = dict.fromkeys(value, kind[str])
    else:
        kinds = kind
        if strange := sorted(value.keys() ^ kinds.keys()):
            raise InputError(f"expected {place} with {', '.join(kinds)}; missing or unknown: {strange[:5]}")
    for name, entry in value.items():
        require_kind(entry, kinds[name], f"{place}.{name}")


def _require_plain(value: object, kind: type, place: str) -> None:
    if not _is(value, kind):
        word = {dict: "an object", list: "a list", str: "a text", int: "a whole number of 0 or more"}
        said = repr(value)[:40] if not isinstance(value, int) or value < 1 << 63 else "a huge number"
        raise InputError(f"expected {place} as {word.get(kind, 'a finite number')}; got {said}")


def _is(value: object, kind: type) -> bool:
    if kind not in (int, float):
        return isinstance(value, kind)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind is int:
        return isinstance(value, int) and 0 <= value < 1 << 63
    return abs(value) < 1 << 1023 and math.isfinite(value)


def _require_shallow(data: bytes | bytearray) -> None:
    """A parser that calls itself would else use up the stack."""
    depth = 0
    for mark in _MARKS.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(bytes(mark[0][:1]), 0)
        if depth > DEEPEST:
            raise InputError(f"expected JSON nested at most {DEEPEST} deep")


def _unlike_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a key twice: {next(name for name in names if names.count(name) > 1)!r}")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")
