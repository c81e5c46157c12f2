"""Models that look only at the last item: a sparse matrix whose row i scores what follows item i."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_gru.baselines.sparse import Rows, SparseBlock, zeros
from recsys_gru.contract import Incremental, SearchSpace, check_number, prefix_ends
from recsys_gru.files import Field, Layout
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.sessions import Sessions, Vocabulary


class ItemToItem(Incremental):
    """The last item's row of an item-by-item matrix; items that the row does not hold score 0.

    Attributes:
        follows_: the matrix (N, N).
        counts_: what it is made of (N, N), which newer clicks are added to; not in models saved before.
    """

    follows_: Rows
    counts_: sparse.csr_array

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        follows, base = self.follows_, zeros(len(self.vocabulary_))
        ends = prefix_ends(sessions, every)
        for start in range(0, len(ends), rows):
            chunk = ends[start : start + rows]
            yield SparseBlock(chunk, base, follows, sessions.items[chunk].astype(np.int64))

    def _fit(self, sessions: Sessions, _: Sessions | None) -> None:
        everything = np.ones(sessions.n_events, np.bool_)
        counts, n_items = self._plain()._counted(sessions, everything), len(sessions.vocabulary)
        self._take(counts, counts, Rows.nothing(n_items), sessions.vocabulary)

    def _has_counts(self) -> bool:
        return "counts_" in vars(self)

    def _learn(self, sessions: Sessions) -> None:
        before, n_items = self.counts_, len(sessions.vocabulary)
        offsets = np.append(before.indptr, np.full(n_items - before.shape[0], before.nnz))
        grown = sparse.csr_array((before.data, before.indices, offsets), (n_items, n_items))
        newer = self._plain()._counted(sessions, sessions.counted)
        self._take(grown + newer, newer, self.follows_.of_so_many(n_items), sessions.vocabulary)

    def _take(
        self, counts: sparse.csr_array, newer: sparse.csr_array, before: Rows, vocabulary: Vocabulary
    ) -> None:
        counts.sum_duplicates()
        counts.eliminate_zeros()
        self.follows_, self.counts_ = self._plain()._scored(counts, newer, before, vocabulary), counts

    @abstractmethod
    def _counted(self, sessions: Sessions, counted: NDArray[np.bool_]) -> sparse.csr_array:
        """What the counted events (E,) add to the counts (N, N); asked of a model of plain parameters."""

    def _scored(self, counts: sparse.csr_array, newer: sparse.csr_array, before: Rows, _: Vocabulary) -> Rows:  # noqa: ARG002
        """Scores (N, N): row = last item, column = next item; asked of a model of plain parameters.

        Without those of the counts that are newer they were as before.
        """
        return Rows.of(counts)

    def _similarities(self, number: int) -> NDArray[np.float32]:
        scores = np.full(len(self.vocabulary_), -np.inf, dtype=np.float32)
        row = slice(*self.follows_.offsets[number : number + 2])
        scores[self.follows_.items[row]] = self.follows_.values[row]
        return scores

    def _state(self) -> dict[str, NDArray[np.generic]]:
        return {
            "offsets": self.follows_.offsets,
            "items": self.follows_.items,
            "values": self.follows_.values,
            **(self._counts_state() if self._has_counts() else {}),
        }

    def _layout(self) -> Layout:
        return {
            "offsets": Field("int64", ("N+1",), ends="P"),
            "items": Field("int32", ("P",), low=0, below="N", parts="offsets"),
            "values": Field("float32", ("P",), low=0),
            **self._counts_layout(),
        }

    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self.follows_ = Rows(
            state["offsets"].astype(np.int64),
            state["items"].astype(np.int32),
            state["values"].astype(np.float32),
        )
        counts = self._counts_in(state)
        if counts is not None:
            self.counts_ = counts

    def _counts_state(self) -> dict[str, NDArray[np.generic]]:
        """The counts of a saved model; they lie where the scores do."""
        return {"counts": self.counts_.data}

    def _counts_layout(self) -> Layout:
        return {"counts": Field("float64", ("P",), low=0, optional=True)}

    def _counts_in(self, state: Mapping[str, NDArray[np.generic]]) -> sparse.csr_array | None:
        return matrix_in(state, "counts", "items", "offsets")


@final
class Markov(ItemToItem):
    """First-order Markov chain: how often one item directly followed the other.

    score(j | i) = number of events i that are directly followed by j in their session

    Source: Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms", section 3.1 (MC).

    >>> from recsys_gru.contract.toy import clicks_of
    >>> model = Markov().fit(clicks_of("abab", "abc"))
    >>> model.recommend_one(["a", "b"], exclude_seen=False)["item_id"].to_list()
    ['a', 'c', 'b']
    """

    def _counted(self, sessions: Sessions, counted: NDArray[np.bool_]) -> sparse.csr_array:
        return counted_pairs(sessions, counted, reach=1)


@final
class SequentialRules(ItemToItem):
    """Rules "i, later j" that weigh the less, the more steps lie between the two clicks.

    score(j | i) = sum over pairs (i, then j, d steps later in the same session, d <= reach) of 1 / d

    Args:
        reach: the most steps between the two.

    Source: Ludewig & Jannach 2018, section 3.1 (SR), with the weight 1/d.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> SequentialRules(reach=2).fit(clicks_of("abc")).recommend_one(["a"])["score"].to_list()
    [1.0, 0.5]
    """

    def __init__(self, reach: int = 10) -> None:
        self.reach = reach

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {"reach": ("int", 1, 30, True)}

    def _require_possible(self) -> None:
        check_number("reach", self.reach, 1)

    def _counted(self, sessions: Sessions, counted: NDArray[np.bool_]) -> sparse.csr_array:
        return counted_pairs(sessions, counted, self.reach)


def counted_pairs(sessions: Sessions, counted: NDArray[np.bool_], reach: int) -> sparse.csr_array:
    """Sum (N, N) of 1/d over the ordered pairs of events that lie d = 1..reach steps apart in one session and
    the later of which is counted (E,).
    """
    n_items = len(sessions.vocabulary)
    total = sparse.csr_array((n_items, n_items), dtype=np.float64)
    session = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)  # (E,)
    for distance in range(1, min(reach, int(sessions.lengths.max()) - 1) + 1):
        same = (session[:-distance] == session[distance:]) & counted[distance:]
        pairs = (sessions.items[:-distance][same], sessions.items[distance:][same])
        total = (
            total
            + sparse.coo_array((np.full(int(same.sum()), 1 / distance), pairs), (n_items, n_items)).tocsr()
        )
    return total


def matrix_in(state: Mapping[str, NDArray[np.generic]], *names: str) -> sparse.csr_array | None:
    """The square matrix of a saved model out of its values, columns and offsets; None where it has none."""
    if not all(name in state for name in names):
        return None
    values, columns, offsets = (state[name] for name in names)
    parts = (values.astype(np.float64), columns.astype(np.int32), offsets.astype(np.int64))
    return sparse.csr_array(parts, 2 * (len(offsets) - 1,))
