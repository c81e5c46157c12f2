"""What each member makes of prefixes, as probability distributions over the catalogue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.blend.windows import LONGEST, windows
from recsys_gru.contract import Recommender
from recsys_gru.kernels.roughly import raise_rows
from recsys_gru.kernels.sparse import add_dense, add_rows, fill_own, sum_rows
from recsys_gru.ranking import Block, Entries
from recsys_gru.sessions import Sessions

BYTES = 1 << 27
"""As many prefixes are a piece as take no more at eight bytes an item, or a lone one: so much is held of them
at once, and with a second network half as much again."""
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


class Known(Protocol):
    """What is known of the distributions of one member over N items for Q prefixes.

    Attributes:
        largest: the largest share of each (Q,); 0 where the member has nothing to say.
    """

    largest: Doubles

    def of(self, items: NDArray[np.int32]) -> Doubles:
        """The share of one item for each prefix (Q,)."""
        ...


class Summed(Known, Protocol):
    """Distributions that are added up exactly."""

    def add_to(self, mixed: Floats, weights: Doubles, part: slice) -> None:
        """Add the distributions of some of the prefixes, each times its weight (R,), to the sums (R, N)."""
        ...


@final
class DenseShares(Summed):
    """Shares (Q, N) of which each has a place of its own, made of scores in their place."""

    def __init__(self, scores: Floats, logits: bool, temperature: float) -> None:
        self.table = as_shares(scores, logits, temperature)
        self.largest = self.table.max(axis=1).astype(np.float64)

    def of(self, items: NDArray[np.int32]) -> Doubles:
        return self.table[np.arange(len(items)), items].astype(np.float64)

    def add_to(self, mixed: Floats, weights: Doubles, part: slice) -> None:
        mixed += self.table[part] * weights.astype(np.float32)[:, None]


@final
class NetworkShares(Known):
    """The softmax of scores of which a copy comes quickly (`Block.rough_scores`), for Q of a block's rows:

    share(j) = exp((score_j - top) / temperature) / sum over all items i of exp((copy_i - top) / temperature)

    `top` is the largest score of the copy, and the row is as sure as that item's share of the copy tells. So
    the share of an item needs no exact score but its own.

    Attributes:
        errors: how far the logarithm of a share with the copy's score above the line may be off (Q,).
    """

    SLACK: ClassVar[float] = 1e-4
    """Of the errors: for the rounding of softmaxes and sums, which is less than a tenth of it above LEAST."""
    ROWS: ClassVar[int] = 8
    """Raised at a time, so that they stay in the cache."""

    def __init__(self, block: Block, at: Ints, rough: tuple[Floats, Doubles], temperature: float) -> None:
        self._block, self._at, self._temperature = block, at, np.float32(temperature)
        self._rough, errors = rough  # of the block's rows, as their shares lie in the scores' place below
        self.errors = errors[at] / temperature + self.SLACK
        tops, sums = np.empty((2, len(errors)), np.float32)
        raise_rows(self._rough, self._temperature, tops, sums)
        sums[~np.isfinite(errors)] = np.nan
        self._tops, self._sums = tops[at], sums[at]  # (Q,) each
        self.largest = 1 / self._sums.astype(np.float64)

    def of(self, items: NDArray[np.int32]) -> Doubles:
        return self.own(items, np.arange(len(items)), np.float32(1) / self._sums).astype(np.float64)

    def own(self, items: NDArray[np.int32], rows: Ints, scale: Floats) -> Floats:
        """Shares (P,) of some items (P,) for some rows (P,), each times its row's number of `scale` (Q,)."""
        if len(self._at) == 1:
            return self._raised(self._block.own(items, rows), self._tops) * scale
        order = np.argsort(self._at[rows], kind="stable")
        scores = np.empty(len(items), np.float32)
        scores[order] = self._block.own(items[order], self._at[rows[order]])
        return self._raised(scores, self._tops[rows]) * scale[rows]

    def scale(self, weights: Doubles) -> Floats:
        """What turns exp((score - top) / temperature) into shares times weights (Q,)."""
        scale: Floats = (weights / self._sums).astype(np.float32)
        return scale

    def add_nearly(self, mixed: Floats, scale: Floats, part: slice) -> None:
        """Add the distributions of some of the prefixes, with the copy's scores, each with its number of
        `scale` (R,) to them, to the sums (R, N)."""
        add_dense(self._rough, self._at[part], scale, mixed)

    def add_scaled(self, mixed: Floats, scale: Floats) -> None:
        """Add the distributions, each with its number of `scale` (Q,) to them, to the sums (Q, N)."""
        scores = self._block.tile(0, mixed.shape[1])
        for part in parts(len(mixed), self.ROWS):
            raised = self._raised(scores[self._at[part]], self._tops[part, None])
            mixed[part] += raised * scale[part, None]

    def _raised(self, scores: Floats, tops: Floats) -> Floats:
        """exp((scores - tops) / temperature), in place."""
        scores -= tops
        scores /= self._temperature
        np.exp(scores, out=scores)
        return scores


@final
class SparseShares(Summed):
    """Shares in proportion to scores that are few entries over a common base."""

    def __init__(self, scores: Entries) -> None:
        self.scores = scores
        self._totals, self.largest = sum_rows(scores[1:], scores.base.scores, scores.base[1:])  # (Q,) each

    def of(self, items: NDArray[np.int32]) -> Doubles:
        found = self.scores.base.scores[items]
        fill_own(*self.scores[1:], items, found)
        shares: Doubles = found / self._totals
        return shares

    def add_to(self, mixed: Floats, weights: Doubles, part: slice) -> None:
        base, rows = self.scores.base, (*self.scores[1:4], self.scores.which[part])
        add_rows(rows, base.scores, weights, self._totals[part], mixed, base.total > 0)


def parts(count: int, most: int) -> Iterator[slice]:
    """So many rows, at most `most` of them at a time."""
    for start in range(0, count, max(most, 1)):
        yield slice(start, min(start + most, count))


Shares = DenseShares | NetworkShares | SparseShares


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
    fewer where memory would not hold their distributions; of long ones what is looked at (`windows`).
    """
    if len(ends) == sessions.n_sessions == 1 and sessions.n_events == ends[0] + 1 <= LONGEST:
        yield Piece(sessions, ends, ends)  # one session asks
        return
    rows = int(max(1, min(most, BYTES // (8 * len(sessions.vocabulary)))))
    sessions, places = windows(sessions, ends)
    for start in range(0, len(ends), rows):
        part, asked = places[start : start + rows], ends[start : start + rows]
        first, last = np.searchsorted(sessions.offsets, part[[0, -1]], side="right") - 1
        chosen, lengths = np.arange(first, last + 1), np.diff(sessions.offsets[first : last + 2])
        lengths[-1] = min(lengths[-1], part[-1] + 2 - sessions.offsets[last])
        yield Piece(sessions.part(chosen, lengths), part - sessions.offsets[first], asked)


def shares_of(
    members: Sequence[Recommender], temperatures: Doubles, piece: Piece, every: bool
) -> list[Shares]:
    """The distributions of each member for the prefixes of a piece."""
    return [
        _shares(member, float(temperature), piece, every)
        for member, temperature in zip(members, temperatures, strict=True)
    ]


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
    if member.logits and len(blocks) == 1 and (rough := blocks[0].rough_scores()) is not None:
        return NetworkShares(blocks[0], _places(blocks[0].rows, piece.ends), rough, temperature)
    entries = blocks[0].entries() if len(blocks) == 1 and not member.logits else None
    if entries is None:
        return DenseShares(_table(blocks, piece), member.logits, temperature)
    if len(blocks[0].rows) > len(piece.ends):  # prefixes of the piece's sessions that it does not ask for
        entries = entries._replace(which=entries.which[np.searchsorted(blocks[0].rows, piece.ends)])
    return SparseShares(entries)


def _places(rows: Ints, ends: Ints) -> Ints:
    """Where each of the ends (Q,) is among the rows."""
    if len(rows) == 1:
        return np.zeros(1, np.int64)
    order = np.argsort(rows)
    places: Ints = order[np.searchsorted(rows, ends, sorter=order)]
    return places


def _table(blocks: Sequence[Block], piece: Piece) -> Floats:
    found = np.empty((len(piece.ends), len(piece.sessions.vocabulary)), np.float32)
    for block in blocks:
        place = np.minimum(np.searchsorted(piece.ends, block.rows), len(piece.ends) - 1)
        asked = piece.ends[place] == block.rows
        found[place[asked]] = block.tile(0, found.shape[1])[asked]
    return found
