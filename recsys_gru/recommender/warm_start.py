"""Going on from a fitted model: old items keep their rows, new items get rows made from the items they are
clicked with."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recsys_gru.errors import ParameterError
from recsys_gru.model.network import Network
from recsys_gru.model.optimisers import Slots
from recsys_gru.sessions import Sessions, Vocabulary
from recsys_gru.training import Learner


@dataclass(frozen=True)
class Extension:
    """A catalogue that goes on from an older one.

    `kept` (K,) are the old numbers of items 0..K-1 of the new catalogue; the items from K on are new.
    `beside` (N, K) holds for each item what its row is made from: itself for an old item, its co-clicked old
    items for a new one; rows sum to 1. `lonely` are the new items that were never beside an old one: their
    rows are the mean of all old ones, and empty in `beside`.
    """

    sessions: Sessions
    kept: NDArray[np.int64]
    beside: sparse.csr_array
    lonely: NDArray[np.int64]

    @property
    def sources(self) -> sparse.csr_array:
        """What every row is made from (N, K), the lonely ones written out: for looking at small cases."""
        share = np.full((len(self.lonely), len(self.kept)), 1 / len(self.kept))
        place = np.repeat(self.lonely, len(self.kept)), np.tile(np.arange(len(self.kept)), len(self.lonely))
        return sparse.csr_array(self.beside + sparse.coo_array((share.ravel(), place), self.beside.shape))

    def rows_from(self, table: NDArray[Any]) -> NDArray[Any]:
        """The rows (N, D) of all items out of the older catalogue's."""
        rows = table[self.kept]  # (K, D)
        made: NDArray[Any] = (self.beside @ rows).astype(rows.dtype)
        if len(self.lonely):
            among = (
                rows if len(rows) else table
            )  # where all old items have vanished, they still tell the scale
            share = sparse.csr_array(np.full((1, len(among)), 1 / len(among)))
            made[self.lonely] = (share @ among).astype(rows.dtype)
        return made

    @property
    def new_items(self) -> pl.Series:
        """Ids of the items that the older catalogue lacks."""
        return self.sessions.vocabulary.ids.slice(len(self.kept))


def extend(old: Vocabulary, newer: Sessions, *, keep_vanished: bool) -> Extension:
    """Number the newer sessions in a catalogue of the old items and, after them, the new ones.

    Support counts old and new clicks together. Without `keep_vanished` old items that the newer sessions lack
    are dropped.
    """
    found = old.numbers(newer.vocabulary.ids)  # (n,) old number of each newer item, -1 where new
    kept = np.arange(len(old)) if keep_vanished else np.sort(found[found >= 0]).astype(np.int64)
    place = np.full(len(old), -1, np.int64)
    place[kept] = np.arange(len(kept))
    number = np.where(found >= 0, place[found], -1)
    number[found < 0] = len(kept) + np.arange(int((found < 0).sum()))

    support = np.concatenate([old.support[kept], np.zeros(int((found < 0).sum()), np.int64)])
    np.add.at(support, number, newer.vocabulary.support)
    ids = pl.concat([old.ids.gather(kept), newer.vocabulary.ids.filter(pl.Series(found < 0))])
    sessions = replace(newer, items=number[newer.items].astype(np.int32), vocabulary=Vocabulary(ids, support))
    return Extension(sessions, kept, *_beside(sessions, len(kept)))


def carry_over(extension: Extension, network: Network, slots: dict[str, Slots], learner: Learner) -> None:
    """Put the fitted parameters and the optimiser's memory into a learner over the extended catalogue.

    Raises:
        ParameterError: if the learner is of another shape than what was fitted.
    """
    if _shape(network, slots) != _shape(learner.network, learner.optimiser.slots):
        raise ParameterError(
            "partial_fit goes on with the network and the optimizer that were fitted, but layers, cell, "
            "embedding, constrained_embedding, optimizer or momentum have been changed since: set them back, "
            "or call fit"
        )
    for name, ours, theirs in _pairs(network, slots, learner):
        if name in network.tables:
            theirs = torch.from_numpy(extension.rows_from(theirs.cpu().numpy()))
        ours.copy_(theirs)


def _pairs(
    network: Network, slots: dict[str, Slots], learner: Learner
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield parameter name, the learner's tensor and the fitted one, parameters first, then their memory."""
    fitted = dict(network.parameters())
    for name, parameter in learner.network.parameters():
        yield name, parameter, fitted[name]
        for slot, values in learner.optimiser.slots[name].items():
            if slot in slots[name]:  # else the optimiser is another now, and remembers nothing
                yield name, values, slots[name][slot]


def _shape(network: Network, slots: dict[str, Slots]) -> dict[str, tuple[tuple[int, ...], list[str]]]:
    """The size of every parameter, of tables that of a row, and what the optimiser remembers of it."""
    return {
        name: (tuple(values.shape[1:] if name in network.tables else values.shape), sorted(slots[name]))
        for name, values in network.parameters()
    }


def _beside(sessions: Sessions, n_kept: int) -> tuple[sparse.csr_array, NDArray[np.int64]]:
    """Shares of the old items clicked right before or after each new item, and the items that have none."""
    n_items, items = len(sessions.vocabulary), sessions.items
    inside = np.ones(len(items), np.bool_)
    inside[sessions.offsets[1:-1]] = False  # an event that begins a session follows nothing
    before, after = items[:-1][inside[1:]], items[1:][inside[1:]]
    pairs = np.concatenate([np.stack([before, after]), np.stack([after, before])], 1)
    row, column = pairs[:, (pairs[0] >= n_kept) & (pairs[1] < n_kept)]
    old = np.arange(n_kept)
    rows, columns = np.concatenate([old, row]), np.concatenate([old, column])
    counts = sparse.coo_array((np.ones(len(rows)), (rows, columns)), (n_items, n_kept)).tocsr()
    shares = sparse.diags_array(1 / np.maximum(counts.sum(1), 1)) @ counts
    return sparse.csr_array(shares), np.setdiff1d(np.arange(n_kept, n_items), row)
