"""Session nearest neighbours: what the recommender of all their variants has in common."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_gru.baselines.learned import Learned
from recsys_gru.baselines.sparse import Rows, SparseBlock, zeros
from recsys_gru.contract import Incremental, check_choice, check_number, prefix_ends
from recsys_gru.files import Field, Layout
from recsys_gru.kernels.neighbors import DECAYS, Index, Rule, score_prefixes
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.sessions import Sessions, session_keys

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


class SessionNeighbors(Incremental):
    """Training sessions like the one at hand vote for items.

    Scores do not depend on when a session is scored: its own time would multiply all of them by one factor.
    Ages count from the last training event.

    Attributes:
        window: days from a session's last event on in which it votes; None for ever. A hyper-parameter.
        index_: the training sessions' distinct items, without ids, by session and by item.
        ages_: (S,) days from each training session's last event to the last of all.
        rule_: how two sessions are compared and how neighbours vote.
        learned_: the training sessions with their ids' keys and times; not in models saved before.
    """

    window: float | None = None
    index_: Index
    ages_: NDArray[np.float64]
    rule_: Rule
    learned_: Learned

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        index, rule, ends = self.index_, self.rule_, prefix_ends(sessions, every)
        base = zeros(len(self.vocabulary_))
        for start in range(0, len(ends), rows):
            chunk = ends[start : start + rows]
            firsts = sessions.firsts(chunk)
            scored = Rows(*score_prefixes(index, rule, sessions.items, firsts, chunk))
            yield SparseBlock(chunk, base, scored, np.arange(len(chunk)))

    @abstractmethod
    def _plan(self) -> Plan:
        """The variant's setting; asked of a model of plain parameters."""

    def _require_possible(self) -> None:
        for names, check in CHECKS:
            for name in names:
                if vars(self).get(name) is not None:
                    check(name, getattr(self, name))

    def _fit(self, sessions: Sessions, _: Sessions | None) -> None:
        self._take(Learned.of(sessions, np.flatnonzero(sessions.lengths)), len(sessions.vocabulary))

    def _has_counts(self) -> bool:
        return "learned_" in vars(self)

    def _learn(self, sessions: Sessions) -> None:
        counted = sessions.counted
        owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)  # (E,)
        chosen = np.unique(owner[counted])
        begun = chosen[~counted[sessions.offsets[chosen]]]  # learned in part already
        before = self.learned_.but_newest_of(session_keys(sessions.ids.gather(begun)))
        self._take(before.with_newer(Learned.of(sessions, chosen)), len(sessions.vocabulary))

    def _take(self, learned: Learned, n_items: int) -> None:
        kept = learned.within(self._plain().window)
        self._build(kept.offsets, kept.items, kept.places, kept.ages, n_items)
        self.learned_ = kept

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
        return {
            "offsets": index.offsets,
            "items": index.items,
            "places": index.places,
            "ages": self.ages_,
            **({"keys": self.learned_.keys} if self._has_counts() else {}),
        }

    def _layout(self) -> Layout:
        self._plan().rule()
        return {
            "offsets": Field("int64", ("S+1",), ends="P"),
            "items": Field("int32", ("P",), low=0, below="N", parts="offsets"),
            "places": Field("int32", ("P",), low=0),
            "ages": Field("float64", ("S",), low=0, order="falling"),
            "keys": Field("int64", ("S",), optional=True),
        }

    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self._build(
            state["offsets"].astype(np.int64),
            state["items"].astype(np.int32),
            state["places"].astype(np.int32),
            state["ages"].astype(np.float64),
            len(self.vocabulary_),
        )
        learned = Learned.restored(state, None if self.span_ is None else self.span_[1])
        if learned is not None:
            self.learned_ = learned


CHECKS: tuple[tuple[tuple[str, ...], Callable[[str, Any], None]], ...] = (
    (("neighbors", "sample_size"), partial(check_number, low=1, high=2**31)),
    (("click_decay", "match_decay", "window"), partial(check_number, low=0, above=True)),
    (("recency", "nearness", "idf_weight"), partial(check_number, low=0)),
    (("decay", "match"), partial(check_choice, choices=DECAYS)),
)
"""Hyper-parameters by the names that the variants share, and what refuses an impossible value."""


def posting_lists(
    offsets: NDArray[np.int64], items: NDArray[np.int32], n_items: int, longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The ``longest`` newest sessions that hold each item, newest first: offsets (N + 1,), sessions."""
    shape = (len(offsets) - 1, n_items)
    holders = sparse.csr_array((np.ones(len(items), np.int8), items, offsets), shape).tocsc()  # oldest first
    ends = holders.indptr[1:].astype(np.int64)
    lengths = np.minimum(np.diff(holders.indptr), longest)
    newest = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    back = np.arange(newest[-1]) - np.repeat(newest[:-1], lengths)
    return newest, holders.indices[np.repeat(ends - 1, lengths) - back].astype(np.int32)
