"""Hyper-parameters: what a class may be tuned over, and the refusal of impossible values."""

import math
from typing import Literal

from recsys_gru.errors import ParameterError

Span = tuple[Literal["int", "float"], float, float, bool]
"""Kind, lowest and highest value (both included), and whether to search on a logarithmic scale."""
Choices = list[str] | list[int] | list[float] | list[bool]
SearchSpace = dict[str, Span | Choices]
"""Hyper-parameter by name: a span of numbers or a list of choices."""


def check_number(name: str, value: float, low: float, high: float = math.inf, above: bool = False) -> None:
    """Refuse a number outside low..high; with ``above`` low itself is refused too.

    Raises:
        ParameterError: naming the parameter, the bounds and the value.

    >>> check_number("k", 100, 1)
    """
    valid = isinstance(value, int | float) and not isinstance(value, bool)
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
    if value not in choices:
        raise ParameterError(f"expected {name} to be one of {', '.join(choices)}, got {value!r}")
