"""What a model has made of the clicks of sessions in memory, so that one more click is one step of it.

It is thrown away with the model, and with the session; where it was for other clicks than those that the
session holds, it is not used. A session without it is ranked from its clicks, to the same bits.
"""

from collections import OrderedDict
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.contract import Begun

Ids = tuple[int | str, ...]
Numbers = NDArray[np.int32]
BESIDE = 400
"""Bytes that a session takes here beside its numbers and states."""


class Walked(NamedTuple):
    """A session's clicks as a model knows them: the items' numbers, how many clicks it does not know, and how
    far it has come; None where that is not asked for."""

    numbers: Numbers
    unknown: int
    begun: Begun | None = None

    def followed_by(self, number: int) -> "Walked":
        """The same and one more click; its number is -1 if the model does not know the item."""
        if number < 0:
            return Walked(self.numbers, self.unknown + 1, self.begun)
        numbers: Numbers = np.empty(len(self.numbers) + 1, np.int32)
        numbers[:-1], numbers[-1] = self.numbers, number
        return Walked(numbers, self.unknown, self.begun)


@final
class States:
    """What one model has made of sessions; those longest without a click go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Ids, Walked]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, session: str, ids: Ids) -> Walked | None:
        """How far the model has come with these clicks of a session."""
        found = self._kept.get(session)
        return found[1] if found is not None and found[0] == ids else None

    def keep(self, session: str, ids: Ids, walked: Walked, most: int) -> None:
        """Keep how far it has come with these clicks, as long as all takes at most so many bytes."""
        self.forget(session)
        self._kept[session] = ids, walked
        self._bytes += _bytes(walked)
        while self._bytes > most:
            self._bytes -= _bytes(self._kept.popitem(last=False)[1][1])

    def forget(self, session: str) -> None:
        """Drop a session."""
        found = self._kept.pop(session, None)
        if found is not None:
            self._bytes -= _bytes(found[1])


def _bytes(walked: Walked) -> int:
    return BESIDE + walked.numbers.nbytes + (0 if walked.begun is None else len(walked.begun.state))
