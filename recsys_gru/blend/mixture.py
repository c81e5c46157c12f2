"""The mixture of members' shares as a block of scores."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.blend.shares import Doubles, Floats, Ints, NetworkShares, Shares, parts
from recsys_gru.kernels.tiles import count_nearly
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.ranking.rough import Rough


@final
class Mixture(Block):
    """The mixture (Q, N) of the members' distributions by their weights (Q, M).

    A single row is answered from the networks' copies: by a factor, the mixture of copies is as near to the
    true one as the least exact of the copies is, and the few items that may be among the best are mixed from
    exact scores.
    """

    ONE_BY_ONE: ClassVar[int] = PREFIXES
    """The networks' shares by their copies are at hand."""
    COUNTS: ClassVar[bool] = True
    ROWS: ClassVar[int] = 8
    """Mixed at a time, so that they stay in the cache."""
    PERHAPS: ClassVar[float] = 1 / 16
    """Part of the scores that are mixed exactly one by one, at most: of more, a matrix product is quicker."""

    def __init__(self, rows: Ints, shares: Sequence[Shares], weights: Doubles, n_items: int) -> None:
        self.rows = rows
        self.n_items = n_items
        self._others = np.empty((len(rows), n_items), np.float32)
        weighed = list(zip(shares, np.ascontiguousarray(weights.T), strict=True))
        self._networks = [
            (one, one.scale(weight)) for one, weight in weighed if isinstance(one, NetworkShares)
        ]
        others = [(one, weight) for one, weight in weighed if not isinstance(one, NetworkShares)]
        for part in parts(len(rows), self.ROWS):
            self._others[part] = 0
            for share, weight in others:
                share.add_to(self._others[part], weight[part], part)

    def tile(self, start: int, stop: int) -> Floats:
        return self._scores[:, start:stop]

    def own(self, items: NDArray[np.int32], rows: Ints | None = None) -> Floats:
        rows = np.arange(len(items)) if rows is None else rows
        mixed = self._others[rows, items]
        for share, scale in self._networks:
            mixed += share.own(items, rows, scale)
        return mixed

    def counted(self, own: Floats, keep: NDArray[np.bool_]) -> Ints | None:
        """By the networks' copies, as far as these tell which item is above; the others, which are few, are
        mixed from exact scores."""
        if not self._networks:
            return None
        room = int(self.PERHAPS * len(self.rows) * self.n_items)
        rows, items, found = np.empty(room, np.int64), np.empty(room, np.int32), 0
        counts = np.zeros((2, len(self.rows)), np.int64)
        mixed = np.empty((min(self.ROWS, len(self.rows)), self.n_items), np.float32)
        for part in parts(len(self.rows), self.ROWS):
            mixed[:] = 0
            for share, scale in self._networks:
                share.add_nearly(mixed, scale[part], part)
            nearly = self._others[part], mixed, self._errors[part]
            found = count_nearly(nearly, keep, own, counts[0], (rows, items), (part.start, found))
            if found > room:
                return None
        rows, items = rows[:found], items[:found]
        exact = self.own(items, rows)
        counts[0] += np.bincount(rows[exact > own[rows]], minlength=len(self.rows))
        counts[1] += np.bincount(rows[exact == own[rows]], minlength=len(self.rows))
        return counts

    def rough(self, row: int) -> Rough | None:
        if not self._networks:
            return None
        mixed = self._others[[row]]
        for share, scale in self._networks:
            share.add_nearly(mixed, scale[[row]], slice(row, row + 1))
        return Rough(mixed[0], float(self._errors[row]), True)

    @cached_property
    def _errors(self) -> Doubles:
        """How far the logarithm of one of the networks' shares may be off (Q,)."""
        errors: Doubles = np.max([share.errors for share, _ in self._networks], axis=0)
        return errors

    @cached_property
    def _scores(self) -> Floats:
        mixed = self._others.copy()
        for share, scale in self._networks:
            share.add_scaled(mixed, scale)
        return mixed
