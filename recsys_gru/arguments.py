"""Arguments at the door: a value becomes the plain one, or is refused in words that name it.

NumPy's numbers and booleans, paths and the like are taken for what they are; a text is never taken for a
number.
"""

import difflib
import math
import operator
import os
import reprlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from numbers import Integral, Real
from typing import Any

from recsys_gru.errors import ParameterError

MOST_SHOWN = 80
"""Characters of a refused value that a message shows."""
LONGEST = timedelta(days=36_500)
"""A hundred years: no silence or part of a log is longer, and the calendar has room for some of them."""


def whole_number(name: str, value: object, low: int | None = None, high: int | None = None) -> int:
    """A whole number, of at least ``low`` and at most ``high`` where these are given; 5.0 is one.

    Raises:
        ParameterError: if it is something else.

    >>> whole_number("k", 5.0)
    5
    """
    number = _index(value)
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        bounds = [*([f"at least {low}"] if low is not None else []), *([f"at most {high:,}"] if high else [])]
        within = f" of {' and '.join(bounds)}" if bounds else ""
        raise ParameterError(f"expected {name} as a whole number{within}, got {shown(value)}")
    return number


def real_number(name: str, value: object) -> float:
    """A finite number; whole ones stay whole.

    Raises:
        ParameterError: if it is something else.

    >>> real_number("logq", 1), real_number("logq", .5)
    (1, 0.5)
    """
    number = _finite(value)
    if number is None:
        raise ParameterError(f"expected {name} as a finite number, got {shown(value)}")
    return number


def span(name: str, value: object) -> timedelta:
    """A span of time, longer than nothing and of at most a hundred years; NumPy's are taken too.

    Raises:
        ParameterError: if it is something else, such as a number, which says no unit.

    >>> span("gap", timedelta(minutes=30))
    datetime.timedelta(seconds=1800)
    """
    found = value
    if type(value).__module__ == "numpy" and type(value).__name__ == "timedelta64":
        found = value.astype("timedelta64[us]").item()  # type: ignore[attr-defined]
    if not isinstance(found, timedelta) or found != found or not timedelta(0) < found <= LONGEST:
        raise ParameterError(
            f"expected {name} as a timedelta longer than nothing and of at most 100 years, got "
            f"{shown(value)}: write timedelta(days=7)"
        )
    return found


def moment(name: str, value: object) -> datetime:
    """A moment in UTC; without a zone it is of UTC.

    Raises:
        ParameterError: if it is something else, or there is no such moment in UTC.

    >>> moment("cut", datetime(2026, 3, 1)).isoformat()
    '2026-03-01T00:00:00+00:00'
    """
    try:
        if isinstance(value, datetime) and value == value:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        pass  # so early or late that no calendar has it
    raise ParameterError(f"expected {name} as a datetime, got {shown(value)}: write datetime(2026, 3, 1)")


def function(name: str, value: Callable[..., object]) -> None:
    """Something that can be called.

    Raises:
        ParameterError: if it cannot.
    """
    if not callable(value):
        raise ParameterError(f"expected {name} as a function, got {shown(value)}")


def flag(name: str, value: object) -> bool:
    """True or False, also NumPy's, and 1 or 0.

    Raises:
        ParameterError: if it is something else, such as the text "false".

    >>> flag("exclude_seen", 1)
    True
    """
    if is_bool(value):
        return bool(value)
    number = _index(value)
    if number not in (0, 1):
        raise ParameterError(f"expected {name} as True or False, got {shown(value)}")
    return bool(number)


def word(name: str, value: object) -> str:
    """A text.

    Raises:
        ParameterError: if it is something else.
    """
    if not isinstance(value, str):
        raise ParameterError(f"expected {name} as text, got {shown(value)}")
    return str(value)


def name_text(name: str, value: object) -> str:
    """A name: a text that is more than blanks.

    Raises:
        ParameterError: if it is something else, or empty.

    >>> name_text("ticket", "o'neil")
    "o'neil"
    """
    text = word(name, value)
    if not text.strip():
        raise ParameterError(f"expected {name} as a name, got {text!r}: give it one or more letters")
    return text


def place(name: str, value: object) -> str:
    """A path as text.

    Raises:
        ParameterError: if it is no path, or an empty one.

    >>> from pathlib import PurePosixPath
    >>> place("checkpoint_dir", PurePosixPath("a/b"))
    'a/b'
    """
    if not isinstance(value, str | os.PathLike):
        raise ParameterError(f"expected {name} as a path, got {shown(value)}")
    text = os.fsdecode(value)
    if not text or "\0" in text:
        raise ParameterError(f"expected {name} as a path, got {text!r}: give the name of a folder or file")
    return text


def choice(name: str, value: object, choices: Iterable[str]) -> str:
    """One of the choices.

    Raises:
        ParameterError: if it is something else.

    >>> choice("decay", "linear", ("same", "linear"))
    'linear'
    """
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise ParameterError(
            f"expected {name} to be one of {', '.join(known)}, got {shown(value)}{did_you_mean(value, known)}"
        )
    return str(value)


def known_names(whose: str, given: Iterable[object], known: Iterable[str]) -> None:
    """Refuse names that are not among the known ones.

    Raises:
        ParameterError: naming the nearest known name, and all of them.
    """
    names = tuple(known)
    for name in given:
        if name not in names:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise ParameterError(f"{whose} has no parameter {name!r}{did_you_mean(name, names)}; {has}")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The nearest known names as a question, or nothing.

    >>> did_you_mean("layer", ["layers", "loss"])
    ' (did you mean layers?)'
    """
    near = difflib.get_close_matches(str(name).lower(), list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def shown(value: object) -> str:
    """The value for a message, cut where it is long."""
    text = reprlib.repr(value) if isinstance(value, list | tuple | dict | set) else repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def is_bool(value: object) -> bool:
    """Whether the value is True or False, Python's or NumPy's, found out without NumPy."""
    kind = type(value)
    return kind is bool or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"))


def _index(value: object) -> int | None:
    """The value as a whole number, None if it is none."""
    if is_bool(value):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type] # what it does not take is looked at below
    except TypeError:
        number = _float(value) if isinstance(value, Real) else math.nan
    return int(number) if math.isfinite(number) and number == math.floor(number) else None


def _finite(value: object) -> float | None:
    """The value as a finite number, None if it is none; whole ones stay whole."""
    if isinstance(value, Real) and not isinstance(value, Integral):
        number = _float(value)
        return number if math.isfinite(number) else None
    whole = _index(value)
    return whole if whole is None or math.isfinite(_float(whole)) else None


def _float(value: Any) -> float:  # noqa: ANN401 - any kind of real number
    try:
        return float(value)
    except OverflowError:
        return math.inf
