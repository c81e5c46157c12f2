"""Item-to-item nearest neighbours: items that share many sessions with the last one."""

from collections.abc import Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_gru.baselines.item_to_item import ItemToItem, matrix_in
from recsys_gru.baselines.sparse import Rows
from recsys_gru.contract import SearchSpace, check_number
from recsys_gru.files import Field, Layout
from recsys_gru.kernels.closest import closest
from recsys_gru.sessions import Sessions, Vocabulary


@final
class ItemKNN(ItemToItem):
    """Cosine similarity of items by the sessions they share, damped for rare items.

    score(j | i) = shared / ((n_i + damping) ** balance * (n_j + damping) ** (1 - balance))

    shared = number of sessions with both items, n_i = number of sessions with i; none is its own neighbour.

    Args:
        neighbors: most neighbours kept per item.
        damping: added to the counts, so that rare items do not look alike by chance.
        balance: 0.5 is the cosine; above it popular next items gain.

    Of equally similar items those with the lower ids are kept.

    Source: Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks", section 4
    (Item-KNN).

    >>> from recsys_gru.contract.toy import clicks_of
    >>> ItemKNN(damping=0).fit(clicks_of("ab", "ac", "ab")).recommend_one(["b"])["item_id"].to_list()
    ['a', 'c']
    """

    def __init__(self, neighbors: int = 100, damping: float = 20.0, balance: float = 0.5) -> None:
        self.neighbors = neighbors
        self.damping = damping
        self.balance = balance

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {
            "neighbors": ("int", 20, 500, True),
            "damping": ("float", 0.1, 100.0, True),
            "balance": ("float", 0.0, 1.0, False),
        }

    def _require_possible(self) -> None:
        check_number("neighbors", self.neighbors, 1)
        check_number("damping", self.damping, 0)
        check_number("balance", self.balance, 0, 1)

    def _counted(self, sessions: Sessions, counted: NDArray[np.bool_]) -> sparse.csr_array:
        """How many sessions newly hold two items, the lower number first, or on the diagonal one."""
        owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)  # (E,)
        touched = np.zeros(sessions.n_sessions, np.bool_)
        touched[owner[counted]] = True
        now = session_items(sessions, touched[owner])
        before = session_items(sessions, touched[owner] & ~counted)
        return sparse.csr_array(sparse.triu(now.T @ now) - sparse.triu(before.T @ before))

    def _scored(
        self, counts: sparse.csr_array, newer: sparse.csr_array, before: Rows, vocabulary: Vocabulary
    ) -> Rows:
        count = counts.diagonal() + self.damping  # (N,)
        weights = count**self.balance, count ** (1 - self.balance)
        triangle = counts.indptr.astype(np.int64), counts.indices.astype(np.int32), counts.data
        rows = before.offsets, before.items, before.values
        touched, order = newer.diagonal() > 0, in_order_of_ids(vocabulary)
        return Rows(*closest(triangle, touched, weights, order, int(self.neighbors), rows))

    def _counts_state(self) -> dict[str, NDArray[np.generic]]:
        counts = self.counts_
        return {
            "shared_offsets": counts.indptr.astype(np.int64),
            "shared_items": counts.indices.astype(np.int32),
            "shared": counts.data,
        }

    def _counts_layout(self) -> Layout:
        return {
            "shared_offsets": Field("int64", ("N+1",), ends="Q", optional=True),
            "shared_items": Field("int32", ("Q",), low=0, below="N", parts="shared_offsets", optional=True),
            "shared": Field("float64", ("Q",), low=0, optional=True),
        }

    def _counts_in(self, state: Mapping[str, NDArray[np.generic]]) -> sparse.csr_array | None:
        return matrix_in(state, "shared", "shared_items", "shared_offsets")


def in_order_of_ids(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Numbers (N,) that rise as the items' ids do; items are numbered as the pieces of the log came."""
    ids: NDArray[np.int64] = vocabulary.ids.to_numpy(writable=True)
    if ids.dtype == np.int64:
        return ids
    place = np.empty(len(ids), np.int64)
    place[vocabulary.ids.arg_sort().to_numpy()] = np.arange(len(ids))
    return place


def session_items(sessions: Sessions, chosen: NDArray[np.bool_]) -> sparse.csr_array:
    """Which session holds which item by the chosen events (E,): ones (n, N)."""
    owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)[chosen]
    shape = (sessions.n_sessions, len(sessions.vocabulary))
    holds = sparse.coo_array((np.ones(len(owner)), (owner, sessions.items[chosen])), shape).tocsr()
    holds.sum_duplicates()
    holds.data[:] = 1
    return holds
