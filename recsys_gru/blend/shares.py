"""What each member makes of prefixes, as probability distributions over the catalogue, and their mixture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.contract import Recommender
from recsys_gru.kernels.sparse import add_rows, fill_own, sum_rows
from recsys_gru.ranking import Block, Entries
from recsys_gru.sessions import Sessions

BYTES = 1 << 25
"""The distributions over all items that are held at once take no more, but for a lone prefix."""
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


class Shares(Protocol):
    """The distributions of one member over N items for Q prefixes.

    Attributes:
        largest: the largest share of each (Q,); 0 where the member has nothing to say.
    """

    largest: Doubles

    def of(self, items: NDArray[np.int32]) -> Doubles:
        """The share of one item for each prefix (Q,)."""
        ...

    def add_to(self, mixed: Floats, weights: Doubles) -> None:
        """Add the distributions, each times its weight (Q,), to the sums (Q, N)."""
        ...


@final
class DenseShares(Shares):
    """Shares (Q, N) of which each has a place of its own, made of scores in their place."""

    def __init__(self, scores: Floats, logits: bool, temperature: float) -> None:
        self.table = as_shares(scores, logits, temperature)
        self.largest = self.table.max(axis=1).astype(np.float64)

    def of(self, items: NDArray[np.int32]) -> Doubles:
        return self.table[np.arange(len(items)), items].astype(np.float64)

    def add_to(self, mixed: Floats, weights: Doubles) -> None:
        mixed += self.table * weights.astype(np.float32)[:, None]


@final
class SparseShares(Shares):
    """Shares in proportion to scores that are few entries over a common base."""

    def __init__(self, scores: Entries) -> None:
        self.scores = scores
        base = scores.base.astype(np.float64)
        self._totals = np.full(len(scores.which), base.sum())  # (Q,)
        self.largest = np.full(len(scores.which), base.max())
        sum_rows(*scores[1:], scores.base, self._totals, self.largest)
        self._totals[self._totals <= 0] = np.inf
        self.largest /= self._totals

    def of(self, items: NDArray[np.int32]) -> Doubles:
        found = self.scores.base[items]
        fill_own(*self.scores[1:], items, found)
        shares: Doubles = found / self._totals
        return shares

    def add_to(self, mixed: Floats, weights: Doubles) -> None:
        scale, base = (weights / self._totals).astype(np.float32), self.scores.base
        if base.any():
            mixed += scale[:, None] * base
        add_rows(*self.scores[1:], base, scale, mixed)


@dataclass(frozen=True)
class Piece:
    """Some prefixes, and the sessions that they are of.

    Attributes:
        sessions: only as far as needed.
        ends: place of the last event of each prefix in these, ascending (Q,).
        rows: the same place in the sessions that the piece was cut from (Q,).
    """

    sessions: Sessions
    ends: Ints
    rows: Ints


def pieces(sessions: Sessions, ends: Ints, most: int) -> Iterator[Piece]:
    """Cut prefixes, told by the places of their last events (ascending), into pieces of at most so many, or
    fewer where memory would not hold their distributions.
    """
    rows = int(max(1, min(most, BYTES // (8 * len(sessions.vocabulary)))))
    for start in range(0, len(ends), rows):
        part = ends[start : start + rows]
        first, last = np.searchsorted(sessions.offsets, part[[0, -1]], side="right") - 1
        chosen, lengths = np.arange(first, last + 1), np.diff(sessions.offsets[first : last + 2])
        lengths[-1] = min(lengths[-1], part[-1] + 2 - sessions.offsets[last])
        if lengths.sum() == sessions.n_events:  # as where one session asks
            yield Piece(sessions, part, part)
            continue
        yield Piece(sessions.part(chosen, lengths), part - sessions.offsets[first], part)


def shares_of(
    members: Sequence[Recommender], temperatures: Doubles, piece: Piece, every: bool
) -> list[Shares]:
    """The distributions of each member for the prefixes of a piece."""
    return [
        _shares(member, float(temperature), piece, every)
        for member, temperature in zip(members, temperatures, strict=True)
    ]


def mixture(shares: Sequence[Shares], weights: Doubles, n_items: int) -> Floats:
    """The mixture (Q, N) of the members' distributions by their weights (Q, M)."""
    mixed = np.zeros((len(weights), n_items), np.float32)
    for share, weight in zip(shares, weights.T, strict=True):
        share.add_to(mixed, weight)
    return mixed


def scores_of(member: Recommender, piece: Piece, every: bool) -> Floats:
    """A member's scores (Q, N) of the prefixes of a piece."""
    return _table(list(member.blocks(piece.sessions, every)), piece)


def as_shares(scores: Floats, logits: bool, temperature: float = 1.0) -> Floats:
    """Scores (Q, N) as distributions, in place: the softmax of logits / temperature, else their proportions.

    A row without any positive score stays zero: that member has nothing to say.

    >>> as_shares(np.array([[1, 3], [0, 0]], np.float32), logits=False).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """
    if logits:
        scores -= scores.max(axis=1, keepdims=True)
        scores /= np.float32(temperature)
        np.exp(scores, out=scores)
    total = scores.sum(axis=1, keepdims=True)
    np.divide(scores, total, out=scores, where=total > 0)
    return scores


def _shares(member: Recommender, temperature: float, piece: Piece, every: bool) -> Shares:
    blocks = list(member.blocks(piece.sessions, every, rows=max(1, piece.sessions.n_events)))
    entries = blocks[0].entries() if len(blocks) == 1 and not member.logits else None
    if entries is None:
        return DenseShares(_table(blocks, piece), member.logits, temperature)
    return SparseShares(entries._replace(which=entries.which[np.searchsorted(blocks[0].rows, piece.ends)]))


def _table(blocks: Sequence[Block], piece: Piece) -> Floats:
    found = np.empty((len(piece.ends), len(piece.sessions.vocabulary)), np.float32)
    for block in blocks:
        place = np.minimum(np.searchsorted(piece.ends, block.rows), len(piece.ends) - 1)
        asked = piece.ends[place] == block.rows
        found[place[asked]] = block.tile(0, found.shape[1])[asked]
    return found
