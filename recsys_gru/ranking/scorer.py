"""What ranking asks of a model: blocks of prefixes whose scores over the catalogue come tile by tile."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple, Protocol, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.arguments import shown
from recsys_gru.errors import NonFiniteScoresError, ParameterError
from recsys_gru.kernels.bars import Bars
from recsys_gru.kernels.tiles import Heaps, Targets, count_tile, push_tile
from recsys_gru.ranking.rough import Rough
from recsys_gru.sessions import Sessions, Vocabulary

PREFIXES = 1024
"""Prefixes scored at once: what is done once for a tile, on one thread, is soon worth it."""
TILE = 512
"""Items scored at once: with all prefixes 2 MB, so comparing and counting stay in the cache."""

NO_MASK = np.empty((0, 1), dtype=np.bool_)
"""Of a tile in which all items compete."""


class Base(NamedTuple):
    """Scores of at least 0 that are every prefix's, but for few entries.

    Attributes:
        scores: (N,) in item order.
        total: their sum.
        largest: the largest.
    """

    scores: NDArray[np.float32]
    total: float
    largest: float

    @classmethod
    def of(cls, scores: NDArray[np.float32]) -> "Base":
        """These scores, summed once for all answers."""
        return cls(scores, float(scores.sum(dtype=np.float64)), float(scores.max(initial=0)))


class Entries(NamedTuple):
    """The scores of Q prefixes as few entries over a common base: prefix q has the base's but where row
    ``which[q]`` of ``offsets`` (R + 1,), ``items`` and ``values`` has another value.
    """

    base: Base
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    values: NDArray[np.float32]
    which: NDArray[np.int64]


class Block(ABC):
    """The scores of Q prefixes over N items, made on demand one tile of items at a time.

    ``rows`` (Q,) int64 is, for each prefix, the index into ``sessions.items`` of its last event.
    """

    ONE_BY_ONE: ClassVar[int] = 8
    """Rows up to which `top_k` answers each by `rough`; for more, tiles are quicker."""
    COUNTS: ClassVar[bool] = False
    """Whether counting what is above some items (`counted`) takes less time than finding the best."""

    rows: NDArray[np.int64]
    n_items: int

    @abstractmethod
    def tile(self, start: int, stop: int) -> NDArray[np.float32]:
        """Scores (Q, stop - start) of the items start..stop-1, valid until the next tile is asked for."""

    @abstractmethod
    def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Score (P,) of one item for each of ``rows`` (P,), places in the block, ascending; for every row if
        not given; bit-equal to that column of its tile.
        """

    def offer(self, start: int, stop: int, allowed: NDArray[np.bool_], heaps: Heaps) -> None:
        """Offer the items start..stop-1 to the heaps of the rows; see `kernels.tiles.push_tile`."""
        push_tile(self._whole_tile(start, stop), allowed, start, heaps)

    def count(
        self,
        start: int,
        stop: int,
        allowed: NDArray[np.bool_],
        targets: Targets,
        counts: NDArray[np.int64],
    ) -> None:
        """Count the items start..stop-1 against the targets of the rows; see `kernels.tiles.count_tile`."""
        count_tile(self._whole_tile(start, stop), allowed, start, targets, counts)

    def counted(self, own: NDArray[np.float32], keep: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        """How many items score above ``own`` (Q,) and how many as much, (2, Q), of those in ``keep`` (N,), of
        all if that is empty; None: no quicker than tiles.
        """
        del own, keep
        return None

    def _whole_tile(self, start: int, stop: int) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.tile(start, stop), dtype=np.float32)

    def entries(self) -> Entries | None:
        """The same scores as few entries over a base; None where they are not made so."""
        return None

    def short(self, k: int, bars: Bars, length: int) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """Items (P,) among which the best k of every row are, and their rows (P,), ascending; None: no such
        short cut. `length` items may be told of a row.
        """
        del k, bars, length
        return None

    def rough_scores(self) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
        """Nearly the scores (Q, N), and how far off those of each row may be at most (Q,), not finite where
        that is not known; the same bits whatever rows are beside. None: no quicker than tiles.
        """
        return None

    def rough(self, row: int) -> Rough | None:
        """Nearly the scores of one of the rows, from one reading of the item table; None: no short cut."""
        del row
        return None


@final
class MatrixBlock(Block):
    """A block whose scores (Q, N) float32 are already at hand.

    >>> block = MatrixBlock(np.array([4]), np.array([[0.5, 2.0, 1.0]], dtype=np.float32))
    >>> block.tile(1, 3)
    array([[2., 1.]], dtype=float32)
    """

    def __init__(self, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        self.rows = rows
        self.scores = scores
        self.n_items = scores.shape[1]

    def tile(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.scores[:, start:stop]

    def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        return self.scores[np.arange(len(items)) if rows is None else rows, items]  # (P,)


class Scorer(Protocol):
    """Anything that scores the prefixes of sessions: every recommender of this library is one."""

    vocabulary_: Vocabulary

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        """Blocks of at most ``rows`` prefixes; the scores do not depend on ``rows``.

        With ``every`` each event that has a next event in its session ends a prefix (replay), without it only
        the last event of each non-empty session does.
        """
        ...


def vocabulary_of(model: Scorer) -> Vocabulary:
    """The catalogue of a fitted model.

    Raises:
        ParameterError: if it is no model.
        NotFittedError: if it is not fitted yet.
    """
    if isinstance(model, type) or not callable(getattr(model, "blocks", None)):
        raise ParameterError(f"expected a fitted recommender, got {shown(model)}: give what fit returns")
    return model.vocabulary_


def context_of(model: Scorer) -> tuple[str, ...]:
    """What a model wants to know of the moments of clicks, by the names of columns."""
    return tuple(getattr(model, "context_names", ()))


def tile_width(rows: int) -> int:
    """Items per tile: more of them for few rows, so that the calls themselves cost nothing."""
    return max(TILE, 2**18 // max(rows, 1))


def spans(block: Block) -> Iterator[tuple[int, int]]:
    """First item and end of each tile, over the whole catalogue in item order."""
    width = tile_width(len(block.rows))
    for start in range(0, block.n_items, width):
        yield start, min(start + width, block.n_items)


def refuse_non_finite(block: Block, broken: NDArray[np.bool_]) -> None:
    """Raise NonFiniteScoresError if any of the Q rows is flagged."""
    if broken.any():
        first = block.rows[broken][:5].tolist()
        raise NonFiniteScoresError(
            f"expected finite scores, got NaN or infinity for {int(broken.sum())} of {len(broken)} prefixes "
            f"(those that end at events {first}); the model's weights are damaged or its training diverged: "
            "train again with a lower learning_rate or load an earlier checkpoint"
        )
