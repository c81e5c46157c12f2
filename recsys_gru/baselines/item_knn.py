"""Item-to-item nearest neighbours: items that share many sessions with the last one."""

from typing import final

import numpy as np
from scipy import sparse

from recsys_gru.baselines.item_to_item import ItemToItem
from recsys_gru.contract import SearchSpace, check_number
from recsys_gru.sessions import Sessions


@final
class ItemKNN(ItemToItem):
    """Cosine similarity of items by the sessions they share, damped for rare items.

    score(j | i) = shared / ((n_i + damping) ** balance * (n_j + damping) ** (1 - balance))

    shared = number of sessions with both items, n_i = number of sessions with i; none is its own neighbour.

    Args:
        neighbors: most neighbours kept per item.
        damping: added to the counts, so that rare items do not look alike by chance.
        balance: 0.5 is the cosine; above it popular next items gain.

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

    def _matrix(self, sessions: Sessions) -> sparse.csr_array:
        holds = session_items(sessions)  # (n, N)
        shared = (holds.T @ holds).tocoo()
        other = shared.row != shared.col
        row, col, both = shared.row[other], shared.col[other], shared.data[other]
        count = holds.sum(axis=0) + self.damping  # (N,)
        score = both / (count[row] ** self.balance * count[col] ** (1 - self.balance))
        best = np.lexsort((col, -score, row))  # rows ascending, the best first, ties by item number
        place = np.arange(len(best)) - np.searchsorted(row[best], row[best])
        kept = best[place < self.neighbors]
        return sparse.coo_array((score[kept], (row[kept], col[kept])), shared.shape).tocsr()


def session_items(sessions: Sessions) -> sparse.csr_array:
    """Which session holds which item: ones (n, N)."""
    shape = (sessions.n_sessions, len(sessions.vocabulary))
    # a copy: merging duplicates below would write into the sessions themselves
    holds = sparse.csr_array((np.ones(sessions.n_events), sessions.items, sessions.offsets), shape, copy=True)
    holds.sum_duplicates()
    holds.data[:] = 1
    return holds
