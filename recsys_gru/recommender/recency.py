"""What clicks leave beside the weights: when each item was last clicked, and how often of late."""

from collections.abc import Mapping
from dataclasses import dataclass

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
    """How fast, both in days: `half_life` of the optimiser's sums and of the clicks that samples follow,
    `after` how long without a click an item is dropped; None for never.
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
        return vocabulary.support if self.half_life is None else np.maximum(recency.recent, LEAST)


@dataclass(frozen=True)
class Recency:
    """Of each item (N,): `last`, the microseconds since 1970 UTC of its last click, and `recent`, its clicks,
    each of which counts half after every half-life before `until`.
    """

    last: NDArray[np.int64]
    recent: NDArray[np.float64]
    until: int

    @classmethod
    def of(cls, sessions: Sessions, half_life: float | None) -> "Recency":
        """Of the counted clicks of some sessions; without a half-life, in days, all clicks count the same.

        >>> from recsys_gru.contract.toy import clicks_of
        >>> Recency.of(Sessions.from_events(clicks_of("aab")), None).recent.tolist()
        [2.0, 1.0]
        """
        items, times = sessions.items[sessions.counted], sessions.times[sessions.counted]
        until = int(sessions.times.max(initial=0))
        last = np.zeros(len(sessions.vocabulary), np.int64)
        np.maximum.at(last, items, times)
        weights = remaining(until - times, half_life)
        return cls(last, np.bincount(items, weights, len(last)).astype(np.float64), until)

    def extended(self, extension: Extension, half_life: float | None) -> "Recency":
        """The same after the sessions of an extended catalogue."""
        newer, kept = Recency.of(extension.sessions, half_life), extension.kept
        until = max(newer.until, self.until)
        last, recent = newer.last.copy(), newer.recent * remaining(np.array(until - newer.until), half_life)
        last[: len(kept)] = np.maximum(last[: len(kept)], self.last[kept])
        recent[: len(kept)] += self.recent[kept] * remaining(np.array(until - self.until), half_life)
        return Recency(last, recent, until)

    def kept(self, forget_after: float, now: int) -> NDArray[np.bool_]:
        """Which items (N,) were clicked less than so many days before `now`."""
        return self.last > now - round(forget_after * MICROSECONDS_A_DAY)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of a saved model."""
        return {"recency/last": self.last, "recency/recent": self.recent}

    @staticmethod
    def layout() -> Layout:
        """What these must be; models of before had none."""
        return {
            "recency/last": Field("int64", ("N",), optional=True),
            "recency/recent": Field("float64", ("N",), low=0, optional=True),
        }

    @classmethod
    def restored(
        cls, state: Mapping[str, NDArray[np.generic]], support: NDArray[np.int64], until: int
    ) -> "Recency":
        """What was saved; of a model of before: all clicked last when it was learned, as often as ever."""
        if "recency/last" not in state:
            return cls(np.full(len(support), until), support.astype(np.float64), until)
        return cls(state["recency/last"].astype(np.int64), state["recency/recent"].astype(np.float64), until)


def remaining(age: NDArray[np.int64], half_life: float | None) -> NDArray[np.float64]:
    """What is left of 1 after so many microseconds."""
    if half_life is None:
        return np.ones(age.shape)
    return np.exp2(-age / (half_life * MICROSECONDS_A_DAY))
