"""Models of counts: what they learn piece by piece is what they would learn of all pieces at once."""

from abc import abstractmethod
from datetime import datetime
from typing import Self

from recsys_gru.contract.recommender import Recommender
from recsys_gru.contract.trainable import newer_clicks
from recsys_gru.errors import ParameterError
from recsys_gru.observers import fitting
from recsys_gru.sessions import SessionData, Sessions, renumbered


class Incremental(Recommender):
    """A recommender that learns newer clicks as if it had been fitted on them together with the older ones.

    A subclass keeps, beside what it scores with, the counts that this takes, and saves them too.
    """

    def partial_fit(self, newer: SessionData, *, since: datetime | None = None) -> Self:
        """Learn newer clicks besides: the model is then that of one ``fit`` on all clicks, but for rounding.

        On an unfitted model it is ``fit``. Items keep their numbers, new ones come after them.

        Args:
            newer: clicks in any form that ``fit`` takes. Without ``since`` they are whole sessions, all of
                which are new; whether they were learned before is then not looked at.
            since: a moment (UTC where it names no zone): earlier clicks are only what the later ones of their
                sessions follow, and must all be there; each from it on is learned once, in whatever pieces
                the log comes. A piece without any is no error.

        Raises:
            ParameterError: if ``since`` is no moment, hyper-parameters were changed since the fit, or the
                model was saved by a version of this library that did not save what this takes.
            ClickLogError: if there is no click (without ``since``), or one was learned before (with it).
            ForkError: in a process forked after the library had been used.

        >>> from recsys_gru import Markov
        >>> from recsys_gru.contract.toy import clicks_of
        >>> model = Markov().fit(clicks_of("ab")).partial_fit(clicks_of("ac", "ac"))
        >>> model.recommend_one(["a"])["item_id"].to_list()
        ['c', 'b']
        """
        self.check_parameters()
        if "vocabulary_" not in vars(self):
            return self.fit(newer)
        self._require_going_on()
        sessions = newer_clicks(newer, self.vocabulary_, since, self.span_, pairs=False)
        if sessions.counted.any():
            self.go_on(renumbered(self.vocabulary_, sessions)[0])
        return self

    def go_on(self, sessions: Sessions) -> None:
        """Learn newer sessions, numbered by a catalogue that is the model's own with these added: models of
        one catalogue may share it.

        Raises:
            ParameterError: as ``partial_fit``.
        """
        self._require_going_on()
        with fitting(self, sessions):
            self._learn(sessions)
            self._remember(sessions)

    def _require_going_on(self) -> None:
        """Raise ParameterError unless newer clicks can be added to what is learned already."""
        name, now = type(self).__name__, self.parameters()
        if changed := sorted(key for key, value in self.parameters_.items() if now[key] != value):
            raise ParameterError(
                f"partial_fit goes on with the hyper-parameters that {name} was fitted with, but "
                f"{', '.join(changed)} changed since: set them back, or call fit"
            )
        if not self._has_counts():
            raise ParameterError(
                f"expected a {name} that can go on, but this one was saved by an earlier version of the "
                "library, without the counts that newer clicks are added to: fit it again"
            )

    @abstractmethod
    def _has_counts(self) -> bool:
        """Whether all is there that newer clicks are added to; models saved before may lack it."""

    @abstractmethod
    def _learn(self, sessions: Sessions) -> None:
        """Add the counted clicks of sessions; items are numbered by a catalogue that begins with that of the
        model, and ``vocabulary_`` and ``span_`` are still of before.
        """
