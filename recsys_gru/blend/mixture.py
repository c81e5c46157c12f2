"""The mixture of members' shares as a block of scores."""

from collections.abc import Sequence
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.blend.shares import Doubles, Floats, Ints, NetworkShares, Shares
from recsys_gru.ranking import Block
from recsys_gru.ranking.rough import Rough


@final
class Mixture(Block):
    """The mixture (Q, N) of the members' distributions by their weights (Q, M).

    A single row is answered from the networks' copies: by a factor, the mixture of copies is as near to the
    true one as the least exact of the copies is, and the few items that may be among the best are mixed from
    exact scores.
    """

    def __init__(self, rows: Ints, shares: Sequence[Shares], weights: Doubles, n_items: int) -> None:
        self.rows = rows
        self.n_items = n_items
        self._others = np.zeros((len(rows), n_items), np.float32)
        self._networks = []
        for share, weight in zip(shares, np.ascontiguousarray(weights.T), strict=True):
            if isinstance(share, NetworkShares):
                self._networks.append((share, share.scale(weight)))
            else:
                share.add_to(self._others, weight)

    def tile(self, start: int, stop: int) -> Floats:
        return self._scores[:, start:stop]

    def own(self, items: NDArray[np.int32], rows: Ints | None = None) -> Floats:
        rows = np.arange(len(items)) if rows is None else rows
        mixed = self._others[rows, items]
        for share, scale in self._networks:
            mixed += share.own(items, rows, scale)
        return mixed

    def rough(self, row: int) -> Rough | None:
        if not self._networks or len(self.rows) > NetworkShares.FEW:
            return None
        mixed = self._others[row].copy()
        for share, scale in self._networks:
            mixed += share.rough[row] * scale[row]
        error = max(float(share.errors[row]) for share, _ in self._networks)
        return Rough(mixed, error, True, lambda items: self.own(items, np.full(len(items), row)))

    @cached_property
    def _scores(self) -> Floats:
        mixed = self._others.copy()
        for share, scale in self._networks:
            share.add_scaled(mixed, scale)
        return mixed
