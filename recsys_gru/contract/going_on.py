"""Recommenders that go on with a session from where they were, in place of beginning anew."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from recsys_gru.ranking import Block
from recsys_gru.sessions import Sessions


class Begun(NamedTuple):
    """How far a recommender has come with a session: so many of its first clicks, and what it has made of
    them, which is its own business and holds for as long as it learns nothing."""

    clicks: int = 0
    state: bytes = b""


class GoesOn(ABC):
    """A recommender for which a session's clicks can be known already; a Recommender may be one besides."""

    @abstractmethod
    def blocks_after(
        self, sessions: Sessions, begun: Sequence[Begun | None]
    ) -> Iterator[tuple[Block, Sequence[Begun | None]]]:
        """Score what comes after the last event of each non-empty session, to the bits of `blocks`.

        Args:
            begun: how far it has come with each session; None where nothing is known, nor is to be kept.

        Yields:
            Blocks, and how far it has come with the session of each row; None where it keeps nothing.
        """
