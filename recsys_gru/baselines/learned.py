"""The sessions that session neighbours have learned: told apart by their ids, the newest last."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import spread
from recsys_gru.sessions import Sessions, session_keys

MICROSECONDS_A_DAY = 86_400 * 10**6
LONGEST = 1000
"""Distinct items of a session that can be recommended from it, those clicked last: what one neighbour's vote
costs at most."""


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """Sessions by their last event; of equal ones those learned later come last.

    Pieces of a log that are cut at moments hold all sessions that end at the same time in the same piece, so
    that they have the order of the whole log.

    Attributes:
        offsets: where each session begins, and the end, (S + 1,) int64.
        items: distinct in each session, ascending, (P,) int32; no more than LONGEST, the last ones.
        places: of the latest click on each in its session, (P,) int32.
        last: microseconds since 1970 UTC of the last event, (S,) int64.
        keys: of the session ids, (S,) int64.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    places: NDArray[np.int32]
    last: NDArray[np.int64]
    keys: NDArray[np.int64]

    @classmethod
    def of(cls, sessions: Sessions, chosen: NDArray[np.int64]) -> "Learned":
        """The sessions of these numbers, none of which is empty.

        >>> from recsys_gru.contract.toy import clicks_of
        >>> sessions = Sessions.from_events(clicks_of("aba", "ca"))
        >>> learned = Learned.of(sessions, np.array([0, 1]))
        >>> learned.items.tolist(), learned.places.tolist(), learned.keys.tolist()
        ([0, 1, 0, 2], [2, 1, 1, 0], [0, 1])
        """
        begins, ends = sessions.offsets[chosen], sessions.offsets[chosen + 1]
        events = spread(begins, ends - begins)
        number = np.repeat(np.arange(len(chosen)), ends - begins)
        places = events - np.repeat(begins, ends - begins)
        order = np.lexsort((-places, sessions.items[events], number))  # the latest click on an item first
        number, items, places = number[order], sessions.items[events][order], places[order]
        latest = np.ones(len(order), dtype=np.bool_)
        latest[1:] = (number[1:] != number[:-1]) | (items[1:] != items[:-1])
        number, items, places = number[latest], items[latest], places[latest]
        kept = among_last(number, places)
        return cls(
            np.searchsorted(number[kept], np.arange(len(chosen) + 1)).astype(np.int64),
            items[kept],
            places[kept].astype(np.int32),
            sessions.times[ends - 1],
            session_keys(sessions.ids.gather(chosen)),
        ).in_order()

    @property
    def ages(self) -> NDArray[np.float64]:
        """Days (S,) from the last event of each to the last of all."""
        ages: NDArray[np.float64] = (self.last[-1] - self.last) / MICROSECONDS_A_DAY
        return ages

    def in_order(self) -> "Learned":
        """The same from old to new."""
        return self.taken(np.argsort(self.last, kind="stable"))

    def taken(self, which: NDArray[np.int64]) -> "Learned":
        """The sessions of these numbers, in this order."""
        lengths = np.diff(self.offsets)[which]
        entries = spread(self.offsets[which], lengths)
        return Learned(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            self.items[entries],
            self.places[entries],
            self.last[which],
            self.keys[which],
        )

    def but_newest_of(self, keys: NDArray[np.int64]) -> "Learned":
        """Without the newest session of each of these keys."""
        found = np.flatnonzero(np.isin(self.keys, keys))[::-1]
        _, newest = np.unique(self.keys[found], return_index=True)
        kept = np.ones(len(self.keys), np.bool_)
        kept[found[newest]] = False
        return self.taken(np.flatnonzero(kept))

    def within(self, days: float | None) -> "Learned":
        """The sessions that ended at most so many days before the last."""
        if days is None:
            return self
        return self.taken(np.flatnonzero(self.last >= self.last[-1] - days * MICROSECONDS_A_DAY))

    def with_newer(self, newer: "Learned") -> "Learned":
        """Both together, in order."""
        entries = (self.offsets, self.offsets[-1] + newer.offsets[1:])
        rest = (
            (getattr(self, field.name), getattr(newer, field.name))
            for field in fields(self)
            if field.name != "offsets"
        )
        return Learned(np.concatenate(entries), *map(np.concatenate, rest)).in_order()

    @classmethod
    def restored(cls, state: Mapping[str, NDArray[np.generic]], until: int | None) -> "Learned | None":
        """Out of the arrays of a saved model that has learned until a moment, microseconds since 1970 UTC;
        None for one of before.
        """
        if until is None or "keys" not in state:
            return None
        # ages are days in 64 bits: they tell the microseconds of a lifetime
        last = until - np.rint(state["ages"].astype(np.float64) * MICROSECONDS_A_DAY).astype(np.int64)
        return cls(
            state["offsets"].astype(np.int64),
            state["items"].astype(np.int32),
            state["places"].astype(np.int32),
            last,
            state["keys"].astype(np.int64),
        )


def among_last(number: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which items (P,), of sessions of these numbers (ascending) and at these places in them, are among the
    LONGEST last ones of their session.
    """
    kept = np.ones(len(number), np.bool_)
    many = np.flatnonzero(np.bincount(number)[number] > LONGEST)
    newest = many[np.lexsort((-places[many], number[many]))]
    rank = np.arange(len(newest)) - np.searchsorted(number[newest], number[newest])
    kept[newest[rank >= LONGEST]] = False
    return kept
