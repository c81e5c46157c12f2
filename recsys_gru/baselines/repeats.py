"""Items of the session come again: how likely, by how many clicks ago the last click on them was."""

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.baselines.sparse import Rows, SparseBlock, zeros
from recsys_gru.contract import Incremental, SearchSpace, check_number, prefix_ends
from recsys_gru.files import Field, Layout
from recsys_gru.kernels.repeats import last_items
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.sessions import Sessions

Ints = NDArray[np.int64]


@final
class Repeats(Incremental):
    """The items of the session itself, by how often others came back to what they had left so long ago.

    score(j) = clicks that came back to the item of d clicks before / clicks that could have,
    d = clicks from the latest one on j to the next one; 0 for all items outside the session's last ``reach``

    Only useful where items are clicked again and again: recommend with ``exclude_seen=False``. It is made to
    be one of several in a ``Blend``.

    Args:
        reach: the most clicks that an item is looked back for.

    Attributes:
        hits_: training clicks on the item of d = 1..reach clicks before, no click on it between, (R,) int64.
        chances_: training clicks that had such an item, (R,) int64.

    Source: the share of repeats by distance is the plain form of the repeat mode in Ren et al. 2019,
    "RepeatNet", section 3.4.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> model = Repeats().fit(clicks_of("aba", "cdc", "ef"))
    >>> model.recommend_one(["e", "f"], exclude_seen=False)["item_id"].to_list()[:1]
    ['e']
    """

    hits_: Ints
    chances_: Ints

    def __init__(self, reach: int = 20) -> None:
        self.reach = reach

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        share = (self.hits_ / np.maximum(self.chances_, 1)).astype(np.float32)  # (R,)
        base, ends = zeros(len(self.vocabulary_)), prefix_ends(sessions, every)
        firsts = sessions.firsts(ends)
        for start in range(0, len(ends), rows):
            chunk = ends[start : start + rows]
            begins = firsts[start : start + rows]
            offsets, items, back, _ = last_items(sessions.items, begins, chunk, len(share))
            yield SparseBlock(chunk, base, Rows(offsets, items, share[back]), np.arange(len(chunk)))

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {"reach": ("int", 2, 50, True)}

    def _require_possible(self) -> None:
        check_number("reach", self.reach, 1)

    def _fit(self, sessions: Sessions, _: Sessions | None) -> None:
        self.hits_, self.chances_ = np.zeros((2, self._plain().reach), np.int64)
        self._learn(sessions)

    def _has_counts(self) -> bool:
        return True

    def _learn(self, sessions: Sessions) -> None:
        targets = np.flatnonzero(sessions.counted)
        firsts = sessions.firsts(targets)
        again = next_on_same(sessions)
        hits, chances = self.hits_.copy(), self.chances_.copy()
        for back in range(len(hits)):
            inside = targets - back - 1 >= firsts
            targets, firsts = targets[inside], firsts[inside]
            then = again[targets - back - 1]
            hits[back] += (then == targets).sum()
            chances[back] += (then >= targets).sum()
        self.hits_, self.chances_ = hits, chances

    def _state(self) -> dict[str, NDArray[np.generic]]:
        return {"hits": self.hits_, "chances": self.chances_}

    def _layout(self) -> Layout:
        return {name: Field("int64", (int(self.reach),), low=0) for name in ("hits", "chances")}

    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self.hits_, self.chances_ = (state[name].astype(np.int64) for name in ("hits", "chances"))


def next_on_same(sessions: Sessions) -> Ints:
    """For each event (E,) the session's next event on the same item; E where there is none."""
    owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)
    order = np.lexsort((sessions.items, owner))  # equal ones stay in their order
    same = (owner[order][1:] == owner[order][:-1]) & (sessions.items[order][1:] == sessions.items[order][:-1])
    found = np.full(sessions.n_events, sessions.n_events)
    found[order[:-1][same]] = order[1:][same]
    return found
