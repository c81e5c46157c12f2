"""Blend: a recommender of several recommenders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.arguments import shown, whole_number
from recsys_gru.blend.foretold import TEMPERATURES, Foretold, best_temperature, parted
from recsys_gru.blend.gate import OF_SESSION, Gate, context_of
from recsys_gru.blend.members import USUAL, go_on, made, of_member, told
from recsys_gru.blend.mixture import Mixture
from recsys_gru.blend.shares import pieces, shares_of
from recsys_gru.contract import (
    Recommender,
    SearchSpace,
    check_number,
    newer_clicks,
    plain_value,
    prefix_ends,
)
from recsys_gru.errors import ParameterError
from recsys_gru.files import Field, Layout
from recsys_gru.observers import epochs_as, fitting, unheard
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.sessions import SessionData, Sessions, as_sessions

Arrays = Mapping[str, NDArray[np.generic]]


@final
class Blend(Recommender):
    """A mixture of what its members foretell: their distributions over the catalogue, each with a weight that
    depends on the session and on how sure the members are.

    score(j | session) = sum over members m of weight(m | context) * share(j | session, m)

    A share is the softmax of a network's scores, with a temperature, its sum taken over the byte copy of the
    item table, or a score's part of all scores. The weights are learned from clicks that the members had not
    learned when they foretold them: those of ``validation``; without it those of the newest sessions, which
    the members learn after that: a network walks the older ones in the first half of its epochs and all of
    them in the other half. Of a session no more than the last 512 clicks are looked at.

    Args:
        models: recommenders, the network first, of which unfitted twins are fitted; or what tells them, such
            as ``{"model": "Markov"}``.
        held_out: share of the sessions, the newest, that weights are learned from where ``fit`` is given no
            validation part.
        strength: of the pull towards weights that are the same in every context.

    Attributes:
        members_: the fitted models.
        gate_: the weights by context.
        temperatures_: of the members' scores (M,); 1 but for networks.
        foretold_: the clicks that the weights were learned from.

    Source: Jelinek & Mercer 1980, "Interpolated estimation of Markov source parameters" (weights by deleted
    interpolation); the gate is that of Jacobs et al. 1991.

    >>> from recsys_gru.baselines import Markov, Popularity
    >>> from recsys_gru.contract.toy import clicks_of
    >>> blend = Blend([Markov(), Popularity()]).fit(clicks_of("ab", "ab", "cd"))
    >>> blend.recommend_one(["a"], k=1)["item_id"].to_list()
    ['b']
    """

    probabilities = True
    members_: tuple[Recommender, ...]
    gate_: Gate
    temperatures_: NDArray[np.float64]
    foretold_: Foretold

    def __init__(
        self,
        models: Sequence[Recommender | Mapping[str, Any]] = USUAL,
        held_out: float = 0.1,
        strength: float = 3.0,
    ) -> None:
        self.models = models
        self.held_out = held_out
        self.strength = strength

    @classmethod
    def of(cls, members: Sequence[Recommender], validation: SessionData) -> Self:
        """A blend of models that are fitted already, all on the same sessions: only the weights are learned.

        Args:
            members: fitted recommenders, the network first; the blend goes on with these very objects.
            validation: a later log, in any form that ``fit`` takes.

        Raises:
            ParameterError: if the members were not fitted on the same catalogue.

        >>> from recsys_gru.baselines import Markov, Popularity
        >>> from recsys_gru.contract.toy import clicks_of
        >>> members = [model.fit(clicks_of("ab", "cd")) for model in (Markov(), Popularity())]
        >>> Blend.of(members, clicks_of("ab")).recommend_one(["c"], k=1)["item_id"].to_list()
        ['d']
        """
        blend = cls([told(member) for member in members])
        blend.check_parameters()
        catalogue = members[0].vocabulary_
        for member in members:
            if member.vocabulary_ != catalogue:
                raise ParameterError(
                    f"expected members fitted on the same sessions, but {type(member).__name__} knows other "
                    f"items or counts than {type(members[0]).__name__}: fit them on one log"
                )
        blend._begin(members)
        blend._take_over(members[0])
        blend._weigh(as_sessions(validation, catalogue), most=Foretold.KEPT)
        return blend

    def partial_fit(
        self, newer: SessionData, *, since: datetime | None = None, n_epochs: int | None = None
    ) -> Self:
        """Go on learning: newer clicks are foretold, weights learn from that, then the members learn them.

        Args:
            newer: later clicks, as ``fit`` takes them.
            since: a moment (UTC where it names no zone): clicks before it are context, each from it on is
                learned once; a piece without any is no error.
            n_epochs: walks of the networks through the newer sessions, in place of their own.

        Raises:
            ParameterError: if hyper-parameters were changed since the fit.
            ClickLogError: if there is nothing to learn (without ``since``), or it was learned before.
        """
        self.check_parameters()
        if "members_" not in vars(self):
            return self.fit(newer)
        if self.parameters() != self.parameters_:
            raise ParameterError(
                "partial_fit goes on with the models that were fitted, but models, held_out or strength "
                "changed since: set them back, or call fit"
            )
        own = {} if n_epochs is None else {"n_epochs": whole_number("n_epochs", n_epochs, 1)}
        sessions = newer_clicks(newer, self.vocabulary_, since, self.span_)
        if sessions.counted.any():
            with fitting(self, sessions):
                with unheard():
                    self._foretell(sessions, most=Foretold.of_a_piece(len(self.vocabulary_)))
                with epochs_as(self):
                    go_on(self.members_, sessions, own, beside=self._learn_weights)
                self._take_over(self.members_[0])
        return self

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        for piece in pieces(sessions, prefix_ends(sessions, every), rows):
            shares = shares_of(self.members_, self.temperatures_, piece, every)
            weights = self.gate_.weights(context_of(piece.sessions, piece.ends, shares))
            yield Mixture(piece.rows, shares, weights, len(self.vocabulary_))

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {"held_out": ("float", 0.05, 0.3, False), "strength": ("float", 0.3, 30.0, True)}

    def parameters(self) -> dict[str, object]:
        return {
            "models": tuple(told(model) for model in self.members()),
            **{name: plain_value(Blend, name, getattr(self, name)) for name in ("held_out", "strength")},
        }

    def _shown(self) -> dict[str, object]:
        return self.get_params(deep=False)

    def _members(self) -> dict[str, list[Recommender]]:
        return {"models": self.members()}

    def members(self) -> list[Recommender]:
        """Unfitted twins of the models it is to be made of.

        Raises:
            ParameterError: if ``models`` is no list of recommenders.
        """
        if not isinstance(self.models, list | tuple) or not self.models:
            raise ParameterError(
                f"expected models as a list of recommenders, got {shown(self.models)}: "
                "Blend([GRU4Rec(), VMISKNN()])"
            )
        return [made(model) for model in self.models]

    def _require_possible(self) -> None:
        check_number("held_out", self.held_out, 0, 0.5)
        check_number("strength", self.strength, 0)
        for model in self.members():
            model.check_parameters()
            if vars(model).get("context"):
                raise ParameterError(
                    "expected no context in the members of a Blend, whose weights and other members know "
                    "nothing of it: fit GRU4Rec(context=...) by itself"
                )
            if vars(model).get("forget_after") is not None:
                raise ParameterError(
                    f"expected forget_after as None in the {type(model).__name__} of a Blend, as the other "
                    "members keep all items: fit the blend anew where the catalogue has grown too large"
                )

    def _fit(self, sessions: Sessions, validation: Sessions | None) -> None:
        self._begin(self.members())
        older, newest = (sessions, None) if validation is not None else parted(sessions, self.held_out)
        if newest is None:
            with epochs_as(self):
                self._each(lambda member: member.fit(sessions, validation))
                self._weigh(validation, most=Foretold.KEPT)
            return
        with unheard():
            self._each(lambda member: getattr(member, "fit_part", member.fit)(older))
            self._weigh(newest, most=Foretold.KEPT)
        with epochs_as(self):
            self._each(lambda member: getattr(member, "fit_rest", member.fit)(sessions))

    def _begin(self, members: Sequence[Recommender]) -> None:
        """Take members, all of equal weight."""
        count = len(members)
        self.members_, self.foretold_ = tuple(members), Foretold.nothing(count)
        self.gate_, self.temperatures_ = Gate(np.zeros((OF_SESSION + count, count))), np.ones(count)

    def _each(self, learn: Callable[[Recommender], object]) -> None:
        """Let every member learn."""
        for member in self.members_:
            learn(member)
        self._take_over(self.members_[0])

    def _weigh(self, sessions: Sessions | None, most: int) -> None:
        """Learn the weights anew from newer sessions, if there are any."""
        if sessions is not None:
            self._foretell(sessions, most)
            self._learn_weights()

    def _foretell(self, sessions: Sessions, most: int) -> None:
        """Foretell some of the clicks of newer sessions."""
        same = sessions.vocabulary is self.vocabulary_
        known = sessions if same else sessions.numbered_by(self.vocabulary_)
        if not self.foretold_.count:
            self.temperatures_ = best_temperature(self.members_, known)
        told = Foretold.of(self.members_, self.temperatures_, known, most)
        self.foretold_ = self.foretold_.with_newer(told)

    def _learn_weights(self) -> None:
        """Learn the weights from what was foretold, if anything was."""
        if self.foretold_.count:
            told, strength = self.foretold_, float(self.strength)
            self.gate_ = Gate.learned(told.context, told.shares, strength, self.gate_)

    def _take_over(self, member: Recommender) -> None:
        self.vocabulary_, self.fingerprint_ = member.vocabulary_, member.fingerprint_
        self.span_ = member.span_
        self.parameters_ = self.parameters()

    def _similarities(self, number: int) -> NDArray[np.float32]:
        return self.members_[0]._similarities(number)

    def _state(self) -> dict[str, NDArray[np.generic]]:
        own: dict[str, NDArray[np.generic]] = {
            "coefficients": self.gate_.coefficients,
            "temperatures": self.temperatures_,
            "context": self.foretold_.context,
            "foretold": self.foretold_.shares,
        }
        members = (
            {f"{place}/{name}": values for name, values in member._state().items()}
            for place, member in enumerate(self.members_)
        )
        return own | {name: values for part in members for name, values in part.items()}

    def _layout(self) -> Layout:
        models = self.members()
        count = len(models)
        own = {
            "coefficients": Field("float64", (OF_SESSION + count, count)),
            "temperatures": Field("float64", (count,), low=min(TEMPERATURES)),
            "context": Field("float64", ("foretold", OF_SESSION + count)),
            "foretold": Field("float64", ("foretold", count), low=0),
        }
        for place, model in enumerate(models):
            for name, field in (model._layout() or {}).items():
                own[f"{place}/{name}"] = of_member(field, place)
        return own

    def _restore(self, state: Arrays) -> None:
        self.members_ = tuple(self.members())
        for place, member in enumerate(self.members_):
            own = f"{place}/"
            mine = {name.removeprefix(own): values for name, values in state.items() if name.startswith(own)}
            member.vocabulary_, member.fingerprint_ = self.vocabulary_, self.fingerprint_
            member.span_, member.parameters_ = self.span_, member.parameters()
            member._restore(mine)
        self.gate_ = Gate(state["coefficients"].astype(np.float64))
        self.temperatures_ = state["temperatures"].astype(np.float64)
        self.foretold_ = Foretold(state["context"].astype(np.float64), state["foretold"].astype(np.float64))
