"""Session nearest neighbours: what the recommender of all their variants has in common."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.baselines.sparse import Rows, SparseBlock
from recsys_gru.contract import Recommender, check_choice, check_number, prefix_ends
from recsys_gru.files import Field, Layout
from recsys_gru.kernels.neighbors import DECAYS, Index, Rule, score_prefixes
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.sessions import Sessions

MICROSECONDS_A_DAY = 86_400 * 10**6
MOST = 2**31 - 1
"""Sessions that the kernels can tell apart."""


class Plan(NamedTuple):
    """A variant's setting of the common scheme; see the module ``kernels.neighbors`` for its formulas.

    ``recency`` is in days, ``nearness`` in clicks, 0 switches either off;
    gain(i) = ``idf_base`` + ``idf_weight`` * log(training sessions / training sessions with i).
    """

    sample_size: int
    neighbors: int
    decay: str = "same"
    decay_scale: float = 1.0
    match: str = "same"
    match_scale: float = 1.0
    cosine: bool = False
    recency: float = 0.0
    nearness: float = 0.0
    idf_base: float = 1.0
    idf_weight: float = 0.0

    def rule(self) -> Rule:
        """The part the kernels look at."""
        return Rule(
            int(self.sample_size),
            int(self.neighbors),
            DECAYS.index(self.decay),
            float(self.decay_scale),
            DECAYS.index(self.match),
            float(self.match_scale),
            bool(self.cosine),
            float(self.nearness),
        )


class SessionNeighbors(Recommender):
    """Training sessions like the one at hand vote for items.

    Scores do not depend on when a session is scored: its own time would multiply all of them by one factor.
    Ages count from the last training event.

    Attributes:
        index_: the training sessions' distinct items, without ids, by session and by item.
        ages_: (S,) days from each training session's last event to the last of all.
        rule_: how two sessions are compared and how neighbours vote.
    """

    index_: Index
    ages_: NDArray[np.float64]
    rule_: Rule

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        index, rule, ends = self.index_, self.rule_, prefix_ends(sessions, every)
        base = np.zeros(len(self.vocabulary_), dtype=np.float32)
        for start in range(0, len(ends), rows):
            chunk = ends[start : start + rows]
            firsts = sessions.offsets[np.searchsorted(sessions.offsets, chunk, side="right") - 1]
            scored = Rows(*score_prefixes(index, rule, sessions.items, firsts, chunk))
            yield SparseBlock(chunk, base, scored, np.arange(len(chunk)))

    @abstractmethod
    def _plan(self) -> Plan:
        """The variant's setting; asked of a model of plain parameters."""

    def _require_possible(self) -> None:
        for names, check in CHECKS:
            for name in names:
                if name in vars(self):
                    check(name, getattr(self, name))

    def _fit(self, sessions: Sessions, _: Sessions | None) -> None:
        offsets, items, places, ages = recent_sessions(sessions)
        self._build(offsets, items, places, ages, len(sessions.vocabulary))

    def _build(
        self,
        offsets: NDArray[np.int64],
        items: NDArray[np.int32],
        places: NDArray[np.int32],
        ages: NDArray[np.float64],
        n_items: int,
    ) -> None:
        plan = self._plain()._plan()
        holders = np.bincount(items, minlength=n_items)  # (N,)
        idf = np.log(len(ages) / np.maximum(holders, 1))
        newness = np.exp(-ages / plan.recency) if plan.recency > 0 else np.ones(len(ages))
        posting_offsets, postings = posting_lists(offsets, items, n_items, int(plan.sample_size))
        gain = plan.idf_base + plan.idf_weight * idf
        self.index_ = Index(offsets, items, places, posting_offsets, postings, newness, gain)
        self.ages_, self.rule_ = ages, plan.rule()

    def _state(self) -> dict[str, NDArray[np.generic]]:
        index = self.index_
        return {"offsets": index.offsets, "items": index.items, "places": index.places, "ages": self.ages_}

    def _layout(self) -> Layout:
        self._plan().rule()
        return {
            "offsets": Field("int64", ("S+1",), ends="P"),
            "items": Field("int32", ("P",), low=0, below="N", parts="offsets"),
            "places": Field("int32", ("P",), low=0),
            "ages": Field("float64", ("S",), low=0, order="falling"),
        }

    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self._build(
            state["offsets"].astype(np.int64),
            state["items"].astype(np.int32),
            state["places"].astype(np.int32),
            state["ages"].astype(np.float64),
            len(self.vocabulary_),
        )


CHECKS: tuple[tuple[tuple[str, ...], Callable[[str, Any], None]], ...] = (
    (("neighbors", "sample_size"), partial(check_number, low=1, high=2**31)),
    (("click_decay", "match_decay"), partial(check_number, low=0, above=True)),
    (("recency", "nearness", "idf_weight"), partial(check_number, low=0)),
    (("decay", "match"), partial(check_choice, choices=DECAYS)),
)
"""Hyper-parameters by the names that the variants share, and what refuses an impossible value."""


def recent_sessions(
    sessions: Sessions,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Non-empty sessions by their last event: offsets, distinct items, their latest places, ages in days."""
    filled = np.flatnonzero(sessions.lengths)
    last_times = sessions.times[sessions.offsets[filled + 1] - 1]  # (S,)
    by_time = np.argsort(last_times, kind="stable")
    number = np.empty(sessions.n_sessions, dtype=np.int64)
    number[filled[by_time]] = np.arange(len(filled))
    owner = np.repeat(number, sessions.lengths)  # (E,)
    places = np.arange(sessions.n_events) - np.repeat(sessions.offsets[:-1], sessions.lengths)
    order = np.lexsort((-places, sessions.items, owner))  # the latest click on an item first
    owner, items, places = owner[order], sessions.items[order], places[order]
    latest = np.ones(len(order), dtype=np.bool_)
    latest[1:] = (owner[1:] != owner[:-1]) | (items[1:] != items[:-1])
    offsets = np.searchsorted(owner[latest], np.arange(len(filled) + 1)).astype(np.int64)
    ages = (last_times.max() - last_times[by_time]) / MICROSECONDS_A_DAY
    return offsets, items[latest], places[latest].astype(np.int32), ages


def posting_lists(
    offsets: NDArray[np.int64], items: NDArray[np.int32], n_items: int, longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The ``longest`` newest sessions that hold each item, newest first: offsets (N + 1,), sessions."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((-owner, items))
    by_item = items[order]
    kept = order[np.arange(len(order)) - np.searchsorted(by_item, by_item) < longest]
    return np.searchsorted(items[kept], np.arange(n_items + 1)).astype(np.int64), owner[kept].astype(np.int32)
