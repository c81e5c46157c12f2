"""Models that score by popularity: of all time, of late, and of the session itself."""

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.baselines.sparse import Rows, SparseBlock
from recsys_gru.contract import Incremental, SearchSpace, check_number, popularity, prefix_ends
from recsys_gru.files import Field, Layout
from recsys_gru.ranking import PREFIXES, Base, Block
from recsys_gru.sessions import Sessions

MICROSECONDS_A_DAY = 86_400 * 10**6


class PopularityBased(Incremental):
    """One score per item, the same for every session: its share of all clicks.

    Attributes:
        base_: the scores and their sum.
    """

    base_: Base

    @property
    def scores_(self) -> NDArray[np.float32]:
        """The scores (N,)."""
        return self.base_.scores

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        base, ends = self.base_, prefix_ends(sessions, every)
        for start in range(0, len(ends), rows):
            chunk = ends[start : start + rows]
            yield SparseBlock(chunk, base, _NO_ROWS, np.zeros(len(chunk), dtype=np.int64))

    def _fit(self, sessions: Sessions, _: Sessions | None) -> None:
        self.base_ = Base.of(popularity(sessions.vocabulary))

    def _has_counts(self) -> bool:
        return True  # the vocabulary counts

    def _learn(self, sessions: Sessions) -> None:
        self.base_ = Base.of(popularity(sessions.vocabulary))

    def _state(self) -> dict[str, NDArray[np.generic]]:
        return {"scores": self.base_.scores}

    def _layout(self) -> Layout:
        return {"scores": Field("float32", ("N",), low=0)}

    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self.base_ = Base.of(state["scores"].astype(np.float32))


@final
class Popularity(PopularityBased):
    """The most clicked items, for everyone.

    score(j) = share of the training events that are on j

    Source: Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks", section 4
    (POP).

    >>> from recsys_gru.contract.toy import clicks_of
    >>> Popularity().fit(clicks_of("ab", "bc", "bc")).recommend_one(["a"])["item_id"].to_list()
    ['b', 'c']
    """


@final
class RecentPopularity(PopularityBased):
    """The items clicked most of late: an event counts half as much after each half-life.

    score(j) = sum over the events on j of 2 ** (-(T - time) / half_life), T = time of the last training event

    Args:
        half_life: in days.

    Attributes:
        recent_: the scores (N,) unrounded, which newer clicks are added to; not in models saved before.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> RecentPopularity(half_life=0.001).fit(clicks_of("aab", "bc")).recommend_one([])["source"].to_list()
    ['popularity', 'popularity', 'popularity']
    """

    recent_: NDArray[np.float64]

    def __init__(self, half_life: float = 7.0) -> None:
        self.half_life = half_life

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {"half_life": ("float", 0.05, 60.0, True)}

    def _require_possible(self) -> None:
        check_number("half_life", self.half_life, 0, above=True)

    def _fit(self, sessions: Sessions, _: Sessions | None) -> None:
        everything = np.ones(sessions.n_events, np.bool_)
        self._take(self._plain()._faded_clicks(sessions, everything, int(sessions.times.max())))

    def _has_counts(self) -> bool:
        return "recent_" in vars(self) and self.span_ is not None

    def _learn(self, sessions: Sessions) -> None:
        plain, before, (_, until) = self._plain(), self.recent_, self.span_ or (0, 0)
        now = max(until, int(sessions.times[sessions.counted].max()))
        recent = plain._faded_clicks(sessions, sessions.counted, now)
        recent[: len(before)] += before * plain._left(np.array(now - until))
        self._take(recent)

    def _faded_clicks(self, sessions: Sessions, counted: NDArray[np.bool_], now: int) -> NDArray[np.float64]:
        """What counted events (E,) are still worth, summed by item (N,)."""
        weight = self._left(now - sessions.times[counted])
        summed = np.bincount(sessions.items[counted], weight, len(sessions.vocabulary))
        return summed.astype(np.float64)

    def _left(self, age: NDArray[np.int64]) -> NDArray[np.float64]:
        """What is left of 1 after so many microseconds; asked of a model of plain parameters."""
        return np.exp2(-(age / MICROSECONDS_A_DAY) / self.half_life)

    def _take(self, recent: NDArray[np.float64]) -> None:
        self.recent_, self.base_ = recent, Base.of(recent.astype(np.float32))

    def _state(self) -> dict[str, NDArray[np.generic]]:
        return super()._state() | ({"recent": self.recent_} if "recent_" in vars(self) else {})

    def _layout(self) -> Layout:
        return {**super()._layout(), "recent": Field("float64", ("N",), low=0, optional=True)}

    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        super()._restore(state)
        if "recent" in state:
            self.recent_ = state["recent"].astype(np.float64)


@final
class SessionPopularity(PopularityBased):
    """The items of the session itself, the most repeated first, then the most clicked of all.

    score(j) = clicks on j in the session so far + share of the training events that are on j

    Only useful where items are clicked again and again: recommend with ``exclude_seen=False``.

    Source: Hidasi et al. 2016, section 4 (S-POP).

    >>> from recsys_gru.contract.toy import clicks_of
    >>> model = SessionPopularity().fit(clicks_of("ab", "bc", "bc"))
    >>> model.recommend_one(["a", "c", "a"], exclude_seen=False)["item_id"].to_list()
    ['a', 'c', 'b']
    """

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        base, ends = self.base_, prefix_ends(sessions, every)
        for start in range(0, len(ends), rows):
            chunk = ends[start : start + rows]
            firsts = sessions.firsts(chunk)
            counts = session_counts(sessions.items, firsts, chunk, base.scores)
            yield SparseBlock(chunk, base, counts, np.arange(len(chunk)))


def session_counts(
    items: NDArray[np.int32], firsts: NDArray[np.int64], lasts: NDArray[np.int64], base: NDArray[np.float32]
) -> Rows:
    """Clicks on each item of the prefixes ``items[firsts[q]:lasts[q] + 1]``, plus the item's base score."""
    lengths = lasts - firsts + 1  # (Q,)
    prefix = np.repeat(np.arange(len(lasts)), lengths)
    events = np.arange(len(prefix)) - np.repeat(np.cumsum(lengths) - lengths - firsts, lengths)
    pairs, counts = np.unique(prefix * len(base) + items[events], return_counts=True)
    row, item = np.divmod(pairs, len(base))
    offsets = np.searchsorted(row, np.arange(len(lasts) + 1))
    return Rows(offsets.astype(np.int64), item.astype(np.int32), (counts + base[item]).astype(np.float32))


_NO_ROWS = Rows(np.zeros(2, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
