"""Session-parallel order: B lanes walk B sessions side by side, one event a step (Hidasi et al. 2016, section
3.1.1)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.lanes import advance, seat

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """Some steps in a row; the P = sum(alive) lane-steps lie one after the other."""

    at: Ints
    """(P,) index of each lane's current event; its target is the event after it."""
    keep: NDArray[np.float32]
    """(P, 1) 0 where a session begins, as the hidden state before that event is zero, 1 elsewhere."""
    source: Ints
    """(P,) which lane of the step before each lane continues."""
    alive: list[int]
    """Lanes of each step."""

    @property
    def fresh(self) -> NDArray[np.bool_]:
        """(P,) True where a session begins."""
        return np.equal(self.keep[:, 0], 0)


class Lanes:
    """The schedule of one epoch, made as it is walked; its state is a few small arrays, so it can be saved
    and resumed.

    Every (event, next event) pair is visited once, whatever the number of lanes. A lane whose session has
    ended takes the
    next waiting session; when none waits, the lane is removed and the others keep their order.

    >>> lanes = Lanes(np.array([0, 3, 5, 8]), 2)
    >>> [window.at.tolist() for stretch in lanes.stretches(1, 2) for window in stretch]
    [[0, 3], [1, 5], [6]]
    """

    def __init__(self, offsets: Ints, n_lanes: int, *, last: bool = False, fewest: int = 1) -> None:
        """Schedule sessions bounded by `offsets` (n + 1,); `last` also visits each session's last event (to
        read, not to
        train); the epoch ends when fewer than `fewest` lanes are left.
        """
        self._offsets = np.ascontiguousarray(offsets, dtype=np.int64)
        self._spare = 0 if last else 1
        self._fewest = fewest
        self._lanes = np.zeros((4, n_lanes), np.int64)  # event, end of session, fresh, source
        self._counters = np.zeros(2, np.int64)  # lanes alive, next waiting session
        seat(self._offsets, self._spare, self._lanes, self._counters)

    @property
    def alive(self) -> int:
        """Lanes of the next step to be scheduled."""
        return int(self._counters[0])

    def stretches(self, steps: int, windows: int) -> Iterator[list[Window]]:
        """Yield the rest of the epoch, so many windows at a time, each of `steps` steps; the last may be
        shorter."""
        size = windows * steps
        width = self._lanes.shape[1]
        while self._counters[0] >= self._fewest:
            table = np.empty((3, size * width), np.int64)
            alive = np.empty(size, np.int64)
            made = advance(
                self._offsets, self._spare, self._fewest, (self._lanes, self._counters), table, alive
            )
            yield list(_cut(table, alive[:made].tolist(), steps))


def pairs(offsets: Ints) -> int:
    """Return the number of (event, next event) pairs.

    >>> pairs(np.array([0, 3, 4]))
    2
    """
    return int(np.maximum(np.diff(offsets) - 1, 0).sum())


def _cut(table: Ints, alive: list[int], steps: int) -> Iterator[Window]:
    begin = 0
    keep = (1 - table[1]).astype(np.float32)[:, None]
    for first in range(0, len(alive), steps):
        counts = alive[first : first + steps]
        end = begin + sum(counts)
        yield Window(table[0, begin:end], keep[begin:end], table[2, begin:end], counts)
        begin = end
