"""Scores in which a few items are raised or lowered for some rows: what a session has just clicked may be
likelier to come again, or less so, than its row says."""

from functools import cached_property
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Items
from recsys_gru.kernels.bars import Bars, which_may_be_given
from recsys_gru.kernels.repeats import add_to_pairs, raise_nearly
from recsys_gru.kernels.tiles import Heaps, Targets, push_pairs
from recsys_gru.ranking.rough import Rough
from recsys_gru.ranking.scorer import Block


class Raised(NamedTuple):
    """Pairs of a row (P,), ascending, and an item (P,), each once, and what is added to its score (P,)."""

    rows: Items
    items: NDArray[np.int32]
    added: NDArray[np.float32]

    def of(self, which: NDArray[np.bool_]) -> "Raised":
        """Some of the pairs."""
        return Raised(self.rows[which], self.items[which], self.added[which])


@final
class RaisedBlock(Block):
    """The scores of a block with something added for a few pairs of row and item.

    The block itself is asked for all that is many: only the few pairs are counted and offered anew.
    """

    def __init__(self, block: Block, raised: Raised) -> None:
        self.rows = block.rows
        self.n_items = block.n_items
        self._block = block
        self._raised = raised

    def tile(self, start: int, stop: int) -> NDArray[np.float32]:
        scores, inside = np.array(self._block.tile(start, stop)), self._raised.of(self._inside(start, stop))
        scores[inside.rows, inside.items - start] += inside.added
        return scores

    def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        scores = self._block.own(items, rows).copy()
        add_to_pairs(scores, (np.arange(len(items)) if rows is None else rows, items), self._raised)
        return scores

    def offer(self, start: int, stop: int, allowed: NDArray[np.bool_], heaps: Heaps) -> None:
        inside = self._inside(start, stop)
        pairs, scores = self._raised.of(inside), self._scores[inside]
        if not len(pairs.rows):
            self._block.offer(start, stop, allowed, heaps)
            return
        others = allowed.copy() if allowed.size else np.ones((len(self.rows), stop - start), np.bool_)
        may = others[pairs.rows, pairs.items - start]
        others[pairs.rows, pairs.items - start] = False
        self._block.offer(start, stop, others, heaps)
        push_pairs(scores[may], pairs.items[may], pairs.rows[may], heaps)

    def count(
        self,
        start: int,
        stop: int,
        allowed: NDArray[np.bool_],
        targets: Targets,
        counts: NDArray[np.int64],
    ) -> None:
        self._block.count(start, stop, allowed, targets, counts)
        which = np.flatnonzero(self._inside(start, stop))
        rows, items = self._raised.rows[which], self._raised.items[which]
        competes = items != targets[1][rows]
        if allowed.size:
            competes &= allowed[rows, items - start]
        self._move(which[competes], targets[0], counts)

    def counted(self, own: NDArray[np.float32], keep: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        counts = self._block.counted(own, keep)
        if counts is not None:
            items = self._raised.items
            self._move(np.flatnonzero(keep[items] if keep.size else items >= 0), own, counts)
        return counts

    def short(self, k: int, bars: Bars, length: int) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        pairs = self._raised.of(which_may_be_given(bars, self._raised.items, self._raised.rows))
        more = int(np.bincount(pairs.rows).max(initial=0))  # so many of the best may have been lowered
        found = self._block.short(k + more, bars, length)
        if found is None or not more:
            return found
        keys = found[1] * self.n_items + found[0], pairs.rows * self.n_items + pairs.items
        rows, items = np.divmod(np.unique(np.concatenate(keys)), self.n_items)
        return items.astype(np.int32), rows

    def rough_scores(self) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
        found = self._block.rough_scores()
        if found is None:
            return None
        raise_nearly(*found, self._raised)
        return found

    def rough(self, row: int) -> Rough | None:
        rough, pairs = self._block.rough(row), self._raised.of(self._raised.rows == row)
        if rough is None or not len(pairs.rows):
            return rough
        scores = rough.scores.copy()
        scores[pairs.items] += pairs.added
        rounding = float(_rounding(scores[pairs.items], rough.error).max())
        return Rough(scores, rough.error + rounding, False)

    @cached_property
    def _plain(self) -> NDArray[np.float32]:
        return self._block.own(self._raised.items, self._raised.rows)

    @cached_property
    def _scores(self) -> NDArray[np.float32]:
        return self._plain + self._raised.added

    def _inside(self, start: int, stop: int) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (self._raised.items >= start) & (self._raised.items < stop)
        return inside

    def _move(self, which: NDArray[np.int64], bounds: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
        """Count some of the pairs as what they score, no longer as what the block's own score is."""
        rows, scores, plain = self._raised.rows[which], self._scores[which], self._plain[which]
        own = bounds[rows]
        np.add.at(counts[0], rows, (scores > own).astype(np.int64) - (plain > own))
        np.add.at(counts[1], rows, (scores == own).astype(np.int64) - (plain == own))


def _rounding(raised: NDArray[np.float32], errors: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """How far rounding takes the sums (P,) of two scores and what is added to both apart."""
    found: NDArray[np.float64] = 2 * np.finfo(np.float32).eps * (np.abs(raised.astype(np.float64)) + errors)
    return found
