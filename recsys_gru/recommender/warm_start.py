"""Going on from a fitted model: old items keep their rows, new items get rows made from the items they are
clicked with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from recsys_gru.sessions import Sessions, Vocabulary, renumbered

MANY = 10_000
"""The mean of all rows is taken over no more than twice as many of them, evenly chosen."""


@dataclass(frozen=True)
class Extension:
    """A catalogue that goes on from an older one.

    `kept` (K,) are the old numbers of items 0..K-1 of the new catalogue; the M items from K on are new.
    `beside` (M, K) holds for each of these what its row is made from: its co-clicked old items; rows sum
    to 1. `lonely` (numbers from 0 to M - 1) are the new items that were never beside an old one: their rows
    are the mean of all old ones, and empty in `beside`.
    """

    sessions: Sessions
    kept: NDArray[np.int64]
    beside: sparse.csr_array
    lonely: NDArray[np.int64]
    drops: bool
    """Whether some old items are not kept."""

    def new_rows(self, table: NDArray[Any]) -> NDArray[Any]:
        """The rows (M, D) of the new items out of the older catalogue's table."""
        used = np.unique(self.beside.indices)
        made: NDArray[Any] = (self.beside[:, used] @ table[self.kept[used]]).astype(table.dtype)
        if len(self.lonely):
            among = self.kept if len(self.kept) else np.arange(len(table))  # all gone: they tell the scale
            made[self.lonely] = table[among[:: max(1, len(among) // MANY)]].mean(0, dtype=np.float64)
        return made

    def rows_from(self, table: NDArray[Any]) -> NDArray[Any]:
        """The rows (N, D) of all items."""
        return np.concatenate([table[self.kept], self.new_rows(table)])

    @property
    def new_items(self) -> pl.Series:
        """Ids of the items that the older catalogue lacks."""
        return self.sessions.vocabulary.ids.slice(len(self.kept))


def extend(old: Vocabulary, newer: Sessions, keep: NDArray[np.bool_] | None = None) -> Extension:
    """Number the newer sessions in a catalogue of the old items and, after them, the new ones.

    Of the old items (N,) that the newer sessions lack, only those to `keep` stay; all of them if not given.
    """
    sessions, kept = renumbered(old, newer, keep)
    support = sessions.vocabulary.support  # of its own, which nobody has seen yet
    support[sessions.items] = np.maximum(support[sessions.items], 1)  # also in a context
    return Extension(sessions, kept, *_beside(sessions, len(kept)), drops=len(kept) < len(old))


def _beside(sessions: Sessions, n_kept: int) -> tuple[sparse.csr_array, NDArray[np.int64]]:
    """Shares of the old items clicked right before or after each new item, and the items that have none."""
    n_new, items = len(sessions.vocabulary) - n_kept, sessions.items
    inside = np.ones(len(items), np.bool_)
    inside[sessions.offsets[1:-1]] = False  # an event that begins a session follows nothing
    before, after = items[:-1][inside[1:]], items[1:][inside[1:]]
    pairs = np.concatenate([np.stack([before, after]), np.stack([after, before])], 1)
    row, column = pairs[:, (pairs[0] >= n_kept) & (pairs[1] < n_kept)]
    row = row - n_kept
    counts = sparse.coo_array((np.ones(len(row)), (row, column)), (n_new, n_kept)).tocsr()
    shares = sparse.diags_array(1 / np.maximum(counts.sum(1), 1)) @ counts
    return sparse.csr_array(shares), np.setdiff1d(np.arange(n_new), row)
