"""The recipe: every choice between a raw log and its training and test parts, in one place."""

from dataclasses import dataclass
from datetime import timedelta

from recsys_gru.errors import ParameterError


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
        for name in ("gap", "test", "window"):
            span = getattr(self, name)
            if span is not None and span <= timedelta(0):
                raise ParameterError(f"{name} must be longer than nothing; got {span}")
        for name in ("min_support", "min_length", "max_length"):
            bound = getattr(self, name)
            if bound is not None and bound < 1:
                raise ParameterError(f"{name} must be at least 1; got {bound}")
