"""What clicks leave beside the weights: when each item was last clicked, and how often of late."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recsys_gru.contract import check_number
from recsys_gru.files import Field, Layout
from recsys_gru.recommender.warm_start import Extension
from recsys_gru.sessions import Sessions, Vocabulary

MICROSECONDS_A_DAY = 86_400 * 10**6
LEAST = 1e-6
"""Clicks of late of an item that has had none for long: its logarithm is a number."""


@dataclass(frozen=True)
class Forgetting:
    """How fast: `half_life`, in clicks, of the optimiser's sums and of the clicks that samples follow;
    `after`, in days, how long without a click an item is dropped; None for never.

    Clicks are a clock that goes as fast in a shop of a hundred an hour as on a portal of ten thousand.
    """

    half_life: float | None = None
    after: float | None = None

    def __post_init__(self) -> None:
        """Raise ParameterError at the first impossible value."""
        for name, value in (("half_life", self.half_life), ("forget_after", self.after)):
            if value is not None:
                check_number(name, value, 0, above=True)

    def support(self, vocabulary: Vocabulary, recency: "Recency") -> NDArray[np.int64] | NDArray[np.float64]:
        """What the samples (N,) follow."""
        if self.half_life is None:
            return vocabulary.support
        return np.where(vocabulary.support > 0, np.maximum(recency.recent, LEAST), 0.0)


@dataclass(frozen=True)
class Recency:
    """Of each item (N,): `last`, the microseconds since 1970 UTC of its last click; `seen`, how many clicks
    had been learned with that one; and `recent`, its clicks, each of which counts half after every half-life
    of later ones. Of all: `until`, the last click's time, and `clicks`, how many there were.
    """

    last: NDArray[np.int64]
    seen: NDArray[np.int64]
    recent: NDArray[np.float64]
    until: int
    clicks: int

    @classmethod
    def of(cls, sessions: Sessions, half_life: float | None) -> "Recency":
        """Of the counted clicks of some sessions; without a half-life, in clicks, all count the same.

        >>> from recsys_gru.contract.toy import clicks_of
        >>> Recency.of(Sessions.from_events(clicks_of("aab")), None).recent.tolist()
        [2.0, 1.0]
        >>> Recency.of(Sessions.from_events(clicks_of("aab")), 1.0).recent.tolist()
        [0.75, 1.0]
        """
        times = sessions.times[sessions.counted]
        order = np.argsort(times, kind="stable")
        items, number = sessions.items[sessions.counted][order], np.arange(1, len(times) + 1)
        last, seen = np.zeros((2, len(sessions.vocabulary)), np.int64)
        last[items], seen[items] = times[order], number  # of several the last one stays
        recent = np.bincount(items, remaining(len(times) - number, half_life), len(last))
        until = int(sessions.times.max(initial=0))
        return cls(last, seen, recent.astype(np.float64), until, len(times))

    def extended(self, extension: Extension, half_life: float | None) -> "Recency":
        """The same after the sessions of an extended catalogue."""
        newer, kept = Recency.of(extension.sessions, half_life), extension.kept
        last, recent = newer.last.copy(), newer.recent.copy()
        seen = np.where(newer.seen, self.clicks + newer.seen, 0)
        last[: len(kept)] = np.maximum(last[: len(kept)], self.last[kept])
        seen[: len(kept)] = np.maximum(seen[: len(kept)], self.seen[kept])
        recent[: len(kept)] += self.recent[kept] * remaining(np.array(newer.clicks), half_life)
        return Recency(last, seen, recent, max(newer.until, self.until), self.clicks + newer.clicks)

    def followed_by(self, count: int) -> "Recency":
        """The same with so many more items that have no click: they count as of today."""
        last, seen = np.full(count, self.until), np.zeros(count, np.int64)
        return replace(
            self,
            last=np.concatenate([self.last, last]),
            seen=np.concatenate([self.seen, seen]),
            recent=np.concatenate([self.recent, np.zeros(count)]),
        )

    def begun(self, unclicked: NDArray[np.bool_]) -> "Recency":
        """The same with items (N,) that have no click counted as of today."""
        return replace(self, last=np.where(unclicked, self.until, self.last))

    def chosen(self, items: NDArray[np.int64]) -> "Recency":
        """That of some items alone."""
        return replace(self, last=self.last[items], seen=self.seen[items], recent=self.recent[items])

    def kept(self, forget_after: float, now: int) -> NDArray[np.bool_]:
        """Which items (N,) were clicked less than so many days before `now`."""
        return self.last > now - round(forget_after * MICROSECONDS_A_DAY)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of a saved model."""
        return {"recency/last": self.last, "recency/seen": self.seen, "recency/recent": self.recent}

    @staticmethod
    def layout() -> Layout:
        """What these must be; models of before had none."""
        return {
            "recency/last": Field("int64", ("N",), optional=True),
            "recency/seen": Field("int64", ("N",), low=0, optional=True),
            "recency/recent": Field("float64", ("N",), low=0, optional=True),
        }

    @classmethod
    def restored(
        cls, state: Mapping[str, NDArray[np.generic]], support: NDArray[np.int64], until: int
    ) -> "Recency":
        """What was saved; of a model of before: all clicked last when it was learned, as often as ever."""
        clicks = int(support.sum())
        if "recency/seen" not in state:
            return cls(
                np.full(len(support), until),
                np.full(len(support), clicks),
                support.astype(np.float64),
                until,
                clicks,
            )
        last, seen = (state[f"recency/{name}"].astype(np.int64) for name in ("last", "seen"))
        return cls(last, seen, state["recency/recent"].astype(np.float64), until, int(seen.max()))


def remaining(clicks: NDArray[np.int64], half_life: float | None) -> NDArray[np.float64]:
    """What is left of 1 after so many clicks."""
    if half_life is None:
        return np.ones(clicks.shape)
    return np.exp2(-clicks / half_life)
