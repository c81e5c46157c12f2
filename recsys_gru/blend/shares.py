"""What each member makes of a prefix, as a probability distribution over the catalogue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recsys_gru.contract import Recommender
from recsys_gru.sessions import Sessions

BYTES = 1 << 27
"""The shares of all members that are held at once take no more, but for a lone prefix."""
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


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


def pieces(sessions: Sessions, ends: Ints, rows: int) -> Iterator[Piece]:
    """Cut prefixes, told by the places of their last events (ascending), into pieces of at most so many."""
    for start in range(0, len(ends), rows):
        part = ends[start : start + rows]
        first, last = np.searchsorted(sessions.offsets, part[[0, -1]], side="right") - 1
        begin, end = sessions.offsets[first], min(part[-1] + 2, sessions.offsets[last + 1])
        kept = replace(
            sessions,
            items=sessions.items[begin:end],
            times=sessions.times[begin:end],
            offsets=np.minimum(sessions.offsets[first : last + 2], end) - begin,
            ids=sessions.ids[first : last + 1],
            unknown=sessions.unknown.clear(),
        )
        yield Piece(kept, part - begin, part)


def rows_at_once(members: int, n_items: int, most: int) -> int:
    """How many prefixes' shares of all members fit into the memory set aside."""
    return int(max(1, min(most, BYTES // (4 * members * n_items))))


def scores_of(member: Recommender, piece: Piece, every: bool) -> Floats:
    """A member's scores (Q, N) of the prefixes of a piece."""
    found = np.empty((len(piece.ends), len(piece.sessions.vocabulary)), np.float32)
    for block in member.blocks(piece.sessions, every):
        place = np.minimum(np.searchsorted(piece.ends, block.rows), len(piece.ends) - 1)
        asked = piece.ends[place] == block.rows
        found[place[asked]] = block.tile(0, found.shape[1])[asked]
    return found


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


def shares_of(
    members: Sequence[Recommender], temperatures: NDArray[np.float64], piece: Piece, every: bool
) -> list[Floats]:
    """The distribution (Q, N) of each member."""
    return [
        as_shares(scores_of(member, piece, every), member.logits, float(temperature))
        for member, temperature in zip(members, temperatures, strict=True)
    ]
