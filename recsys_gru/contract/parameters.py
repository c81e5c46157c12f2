"""Hyper-parameters: their plain values, what a class may be tuned over, and the refusal of impossible ones.

What a hyper-parameter may be stands in the signature of its class, and nowhere else.
"""

import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from recsys_gru.arguments import choice, flag, place, real_number, shown, whole_number, word
from recsys_gru.errors import ParameterError

Span = tuple[Literal["int", "float"], float, float, bool]
"""Kind, lowest and highest value (both included), and whether to search on a logarithmic scale."""
Choices = list[str] | list[int] | list[float] | list[bool]
SearchSpace = dict[str, Span | Choices]
"""Hyper-parameter by name: a span of numbers or a list of choices."""
Reader = Callable[[str, object], object]


@cache
def readers_of(kind: type) -> Mapping[str, tuple[tuple[str, Reader], ...]]:
    """For each hyper-parameter of a class what it may be, in words, and what makes a plain value of it."""
    hints = get_type_hints(inspect.getattr_static(kind, "__init__"))
    return {name: _readers(hints.get(name, Any)) for name in inspect.signature(kind).parameters}


def plain_value(kind: type, name: str, value: object) -> object:
    """The value of a hyper-parameter as plain Python has it: text for a path, a tuple for a list, and so on.

    Raises:
        ParameterError: if the signature of the class does not let it be that; the message names it.
    """
    readers = readers_of(kind)[name]
    for _, read in readers:
        try:
            return read(name, value)
        except ParameterError:
            continue
    expected = " or ".join(words for words, _ in readers)
    raise ParameterError(f"expected {name} as {expected}, got {shown(value)}")


def takes_only_text(kind: type, name: str) -> bool:
    """Whether the hyper-parameter is a text or path and nothing else but perhaps None."""
    reads = {read for _, read in readers_of(kind).get(name, ())}
    return bool(reads) and not reads & {whole_number, real_number, flag, _whole_numbers} and word in reads


def check_number(name: str, value: float, low: float, high: float = math.inf, above: bool = False) -> None:
    """Refuse a number outside low..high; with ``above`` low itself is refused too.

    Raises:
        ParameterError: naming the parameter, the bounds and the value.

    >>> check_number("k", 100, 1)
    """
    valid = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not valid or not low <= value <= high or (above and value == low):
        sign = "above" if above else "of at least"
        limit = "" if high == math.inf else f" and at most {high}"
        raise ParameterError(f"expected {name} {sign} {low}{limit}, got {value!r}: set it so and fit again")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        ParameterError: naming the parameter, the choices and the value.

    >>> check_choice("decay", "linear", ("same", "linear"))
    """
    choice(name, value, choices)


def _readers(hint: object) -> tuple[tuple[str, Reader], ...]:
    """What the type says, each alternative in turn; a list of whole numbers may also be a lone one."""
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if any(get_origin(one) in (tuple, Sequence) for one in alternatives):
        alternatives = tuple(one for one in alternatives if one is not int)
    return tuple(_reader(one) for one in alternatives)


def _reader(hint: Any) -> tuple[str, Reader]:  # noqa: ANN401 - any type at all
    origin = get_origin(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is Literal:
        words = get_args(hint)
        return " or ".join(map(repr, words)), lambda name, value: choice(name, value, words)
    if origin in (tuple, Sequence):
        return ("a list of texts", _texts) if get_args(hint)[:1] == (str,) else _WHOLE_NUMBERS
    if origin is Mapping:
        return "weights by label and column", _weights
    if origin is os.PathLike or hint is os.PathLike:
        return "a path", place
    if inspect.isclass(hint):
        return "an object of its kind", lambda name, value: _text_of(name, value, hint)
    return "anything", lambda _, value: value


def _whole_numbers(name: str, value: object) -> tuple[int, ...]:
    """A list, tuple or array of whole numbers, or a lone one, as a tuple."""
    if isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) == 1:
        return tuple(whole_number(name, one) for one in value)  # type: ignore[attr-defined]
    return (whole_number(name, value),)


def _texts(name: str, value: object) -> tuple[str, ...]:
    """A list or tuple of texts, as a tuple."""
    if not isinstance(value, list | tuple):
        raise ParameterError(f"expected {name} as a list of texts, got {shown(value)}: ('device',)")
    return tuple(word(name, one) for one in value)


def _weights(name: str, value: object) -> dict[str, dict[str, float]]:
    """Numbers by text by text, as plain dicts."""
    if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in value.values()):
        raise ParameterError(f"expected {name} as numbers by label and column, got {shown(value)}")
    return {
        word(name, column): {word(name, label): real_number(name, one) for label, one in weights.items()}
        for column, weights in value.items()
    }


def _nothing(name: str, value: object) -> None:
    if value is not None:
        raise ParameterError(f"expected {name} as None, got {shown(value)}")


def _text_of(name: str, value: object, kind: type) -> str:
    """What an object of another library calls itself: a torch device is "cpu" or "cuda:1"."""
    if not isinstance(value, kind):
        raise ParameterError(f"expected {name} as {kind.__name__}, got {shown(value)}")
    return str(value)


_WHOLE_NUMBERS: tuple[str, Reader] = ("a list of whole numbers", _whole_numbers)
_PLAIN: dict[object, tuple[str, Reader]] = {
    int: ("a whole number", whole_number),
    float: ("a number", real_number),
    bool: ("True or False", flag),
    str: ("text", word),
    NoneType: ("None", _nothing),
    Any: ("anything", lambda _, value: value),
}
