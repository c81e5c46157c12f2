"""The recipe: every choice between a raw log and its training and test parts, in one place."""

from dataclasses import dataclass
from datetime import timedelta

from recsys_gru.arguments import flag, shown, span, whole_number
from recsys_gru.errors import ParameterError

MOST = 2**31 - 1
"""Of events; the compiled loops count in 32 bits."""
SPANS, MAY_BE_OPEN = ("gap", "test", "window"), ("test", "window", "max_length")


@dataclass(frozen=True)
class Recipe:
    """How a log is prepared.

    Attributes:
        gap: silence that ends a session, for logs of users without sessions.
        collapse: drop consecutive clicks on the same item.
        max_length: sessions with more events are taken for robots and dropped; None keeps them.
        min_support: training events that an item needs.
        min_length: training events that a session needs.
        test: how long before the last event the test part begins; None takes whole days with 5 % of the
            sessions.
        window: how long before the cut the training part begins; None takes everything.

    >>> Recipe(test=timedelta(days=7)).min_support
    5
    """

    gap: timedelta = timedelta(minutes=30)
    collapse: bool = False
    max_length: int | None = None
    min_support: int = 5
    min_length: int = 2
    test: timedelta | None = None
    window: timedelta | None = None

    def __post_init__(self) -> None:
        """Raise ParameterError at the first impossible value; numbers and spans of NumPy become plain."""
        for name in ("gap", "test", "window", "min_support", "min_length", "max_length"):
            value = getattr(self, name)
            if value is None and name in MAY_BE_OPEN:
                continue
            plain = span(name, value) if name in SPANS else whole_number(name, value, 1, MOST)
            object.__setattr__(self, name, plain)
        object.__setattr__(self, "collapse", flag("collapse", self.collapse))


def recipe_in(recipe: object) -> Recipe:
    """The recipe that a caller gave, or the usual one.

    Raises:
        ParameterError: if it is something else.

    >>> recipe_in(None).min_length
    2
    """
    if recipe is not None and not isinstance(recipe, Recipe):
        raise ParameterError(f"expected recipe as a Recipe, got {shown(recipe)}: write Recipe(min_support=5)")
    return Recipe() if recipe is None else recipe
