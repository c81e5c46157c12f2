"""Clicks that members foretold before they learned them: what the weights of a mixture are learned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.blend.gate import OF_SESSION, context_of
from recsys_gru.blend.shares import Piece, as_shares, pieces, scores_of, shares_of
from recsys_gru.contract import Recommender, prefix_ends
from recsys_gru.engines import on_threads
from recsys_gru.ranking import PREFIXES
from recsys_gru.sessions import Sessions

Matrix = NDArray[np.float64]

TEMPERATURES = (0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
TRIED = 1000
"""Prefixes that temperatures are chosen on."""
FLOOR = 0.1
"""Part of a lone network's mixture with the uniform distribution, while its temperature is chosen."""


@final
@dataclass(frozen=True)
class Foretold:
    """Clicks foretold, the newest last.

    Attributes:
        context: what the gate saw of each (n, F).
        shares: what each member gave the item that came (n, M).
    """

    KEPT: ClassVar[int] = 10_000
    """The most that are kept, the newest."""
    A_PIECE: ClassVar[int] = 1500
    """The most that are foretold of a piece to learn from; they are spread over it."""
    LEAST: ClassVar[int] = 200
    """As many are foretold of a piece that has them, however many items there are."""
    SCORES: ClassVar[int] = 24_000_000
    """Of the catalogue for all clicks of a piece together; fewer of these are foretold by more items."""
    AT_ONCE: ClassVar[int] = 256
    """Foretold together: few enough that memory is used again and threads have as much to do each."""

    context: Matrix
    shares: Matrix

    @classmethod
    def of_a_piece(cls, items: int) -> int:
        """The most clicks that are foretold of a piece to learn from, out of so many items.

        >>> Foretold.of_a_piece(16_000), Foretold.of_a_piece(60_000), Foretold.of_a_piece(10**7)
        (1500, 400, 200)
        """
        return max(cls.LEAST, min(cls.A_PIECE, cls.SCORES // items))

    @property
    def count(self) -> int:
        """How many clicks."""
        return len(self.shares)

    @classmethod
    def nothing(cls, members: int) -> "Foretold":
        """No click yet, of so many members."""
        return cls(np.empty((0, OF_SESSION + members)), np.empty((0, members)))

    @classmethod
    def of(
        cls, members: Sequence[Recommender], temperatures: Matrix, sessions: Sessions, most: int
    ) -> "Foretold":
        """Foretell the clicks of sessions in the members' item numbers, at most about so many."""
        sessions = some_of(sessions, most)

        def foretell(piece: Piece) -> Foretold:
            shares = shares_of(members, temperatures, piece, every=True)
            targets = sessions.items[piece.rows + 1]
            given = np.stack([share.of(targets) for share in shares], axis=1)
            return cls(context_of(piece.sessions, piece.ends, shares), given)

        asked = pieces(sessions, prefix_ends(sessions, every=True), cls.AT_ONCE)
        found = [cls.nothing(len(members)), *on_threads(foretell, list(asked))]
        return cls(
            np.concatenate([one.context for one in found]), np.concatenate([one.shares for one in found])
        )

    def with_newer(self, newer: "Foretold") -> "Foretold":
        """Both together, as many as are kept."""
        context = np.concatenate([self.context, newer.context])[-self.KEPT :]
        return Foretold(context, np.concatenate([self.shares, newer.shares])[-self.KEPT :])


def parted(sessions: Sessions, held_out: float) -> tuple[Sessions, Sessions | None]:
    """The older and the newest sessions, each with the items of its own; all are older where too few are left
    to learn from.
    """
    cut = sessions.n_sessions - int(held_out * sessions.n_sessions)
    if cut == sessions.n_sessions or not (sessions.lengths[:cut] > 1).any():
        return sessions, None
    events = sessions.events()
    newest = events["session_id"].is_in(sessions.ids[cut:].implode())
    parts = Sessions.from_events(events.filter(~newest)), Sessions.from_events(events.filter(newest))
    if len(parts[0].vocabulary) < 2 or not (parts[1].lengths > 1).any():
        return sessions, None
    return parts


def some_of(sessions: Sessions, most: int) -> Sessions:
    """Sessions of about so many counted clicks to foretell, spread evenly; all where there are no more.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> some_of(Sessions.from_events(clicks_of("ab", "cd", "ef", "gh")), 2).ids.to_list()
    [0, 2]
    """
    ends = prefix_ends(sessions, every=True)
    if len(ends) <= most:
        return sessions
    owners = np.unique(np.searchsorted(sessions.offsets, ends, side="right") - 1)
    return sessions.part(owners[:: -(-len(ends) // most)])


def best_temperature(members: Sequence[Recommender], sessions: Sessions) -> Matrix:
    """For each member the temperature (M,) under which it foretells best; 1 where scores are no logits."""
    sessions = some_of(sessions, TRIED)
    ends = prefix_ends(sessions, every=True)
    found = np.ones(len(members))
    n_items = len(sessions.vocabulary)
    for place, member in enumerate(members):
        if not member.logits or not len(ends):
            continue
        gained = np.zeros(len(TEMPERATURES))
        for piece in pieces(sessions, ends, PREFIXES):
            scores, targets = scores_of(member, piece, every=True), sessions.items[piece.rows + 1]
            for number, temperature in enumerate(TEMPERATURES):
                given = as_shares(scores.copy(), True, temperature)[np.arange(len(targets)), targets]
                gained[number] += np.log((1 - FLOOR) * given + FLOOR / n_items).sum()
        found[place] = TEMPERATURES[int(gained.argmax())]
    return found
