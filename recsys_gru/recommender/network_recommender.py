"""What a recommender by a network does once it is fitted: score, compare, change its catalogue, be saved."""

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from recsys_gru.contract import Begun, GoesOn, Recommender
from recsys_gru.errors import InputError, NotFittedError, ParameterError
from recsys_gru.facts import Context, Encoding, ItemsData, Moments
from recsys_gru.files import Layout
from recsys_gru.forked import need_threads
from recsys_gru.kernels.products import on_kernels
from recsys_gru.model.facts import Facts
from recsys_gru.model.network import Network
from recsys_gru.model.share import WHOLE
from recsys_gru.observers import fitting
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.recommender.catalogue import with_added, without
from recsys_gru.recommender.going_on import block_after
from recsys_gru.recommender.layout import arrays_of, network_layout, network_of
from recsys_gru.recommender.loop import Loop, lanes_needed
from recsys_gru.recommender.newcomers import foretell_new, some_clicks
from recsys_gru.recommender.parts import Parts
from recsys_gru.recommender.recency import Recency
from recsys_gru.recommender.scoring import cosines, network_blocks
from recsys_gru.recommender.stream import Fitted, go_on, require_same
from recsys_gru.sessions import Sessions, asked_numbers
from recsys_gru.training import (
    EpochReport,
    Exchange,
    GoingOn,
    Learner,
    Settings,
    device_at_hand,
    resolve_device,
)


class NetworkRecommender(Recommender, GoesOn):
    """A recommender whose scores are a network's. What it learned with, a subclass says."""

    logits = True
    network_: Network
    slots_: dict[str, dict[str, torch.Tensor]]
    history_: tuple[EpochReport, ...]
    new_items_: pl.Series
    recency_: Recency
    encoding_: Encoding | None
    moments_: Moments | None
    _parts: Parts
    device: str | torch.device

    def add_items(self, items: ItemsData) -> Self:
        """Take items into the catalogue, to be recommended at once from what is known about them; those that
        are there already get these facts in place of the ones they had. Nothing is learned.

        Args:
            items: facts of the columns that `fit` was given; in an item's row all its facts are told anew.

        Raises:
            NotFittedError: before `fit`.
            ParameterError: if it was fitted without facts.
            SchemaError, InputError: if the columns are others, or no row can be used.

        >>> from recsys_gru import GRU4Rec
        >>> from recsys_gru.contract.toy import clicks_of
        >>> facts = pl.DataFrame({"item_id": ["a", "b", "c"], "kind": ["x", "y", "z"]})
        >>> model = GRU4Rec(layers=(8,), batch_size=2, n_sample=4, n_epochs=20, seed=1)
        >>> model = model.fit(clicks_of("abc", "abc", "dbc"), items=facts)
        >>> model = model.add_items(pl.DataFrame({"item_id": ["new"], "kind": ["y"]}))
        >>> model.recommend_one(["a"], k=2).select("item_id", "source").rows()
        [('b', 'model'), ('new', 'facts')]
        """
        need_threads("fit")
        fitted, facts = self._fitted_now(), self.network_.facts
        if self.encoding_ is None or facts is None:
            raise ParameterError(
                "add_items needs a model fitted with facts: fit(train, items=...) learns what they say"
            )
        with self.network_.copies.changing():
            self._take(with_added(fitted, self.encoding_, facts, items))
        self.new_items_ = self.vocabulary_.ids.slice(len(fitted.vocabulary))
        return self

    def retire_items(self, ids: Iterable[int | str]) -> Self:
        """Take items out of the catalogue: they are recommended no more, and their clicks are unknown ones.

        Raises:
            NotFittedError: before `fit`.
            InputError: if the model does not know one of them, or fewer than two items would be left.
        """
        fitted, asked = self._fitted_now(), list(ids)
        numbers = asked_numbers(self.vocabulary_, asked, "ids")
        if strange := [one for one, number in zip(asked, numbers.tolist(), strict=True) if number < 0]:
            raise InputError(f"expected items of the catalogue, got {strange[:5]}: the model lacks these")
        keep = np.ones(len(self.vocabulary_), np.bool_)
        keep[numbers] = False
        if keep.sum() < 2:
            raise InputError(f"expected two items or more to be left, got {keep.sum()} of {len(keep)}")
        with self.network_.copies.changing():
            self._take(without(fitted, keep))
        return self

    def save(
        self,
        folder: str | os.PathLike[str],
        metrics: Mapping[str, float] | None = None,
        metadata: Mapping[str, str] | None = None,
        base: str | os.PathLike[str] | None = None,
    ) -> None:
        parts: Parts | None = vars(self).get("_parts")
        if parts is None:
            super().save(folder, metrics, metadata, base)
        elif parts.exchange.rank:
            parts.tell()
        else:
            with parts.asking():
                super().save(folder, metrics, metadata)

    @property
    def is_divided(self) -> bool:
        """Whether its item tables lie in several processes, which can do nothing but save them, together."""
        return "_parts" in vars(self)

    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        return network_blocks(self.network_, sessions, every, rows, self._labels(sessions))

    def blocks_after(
        self, sessions: Sessions, begun: Sequence[Begun | None]
    ) -> Iterator[tuple[Block, Sequence[Begun | None]]]:
        if on_kernels(self.network_.tables["output"]):
            if sessions.n_events:
                yield block_after(self.network_, sessions, begun, self._labels(sessions))
            return
        for block in self.blocks(sessions, every=False):  # elsewhere bits depend on how many walk together
            yield block, [None] * len(block.rows)

    @property
    def context_names(self) -> tuple[str, ...]:
        return () if self._moments is None else self._moments.names

    @property
    def _moments(self) -> Moments | None:
        """None where a network was put in by hand, too."""
        found: Moments | None = vars(self).get("moments_")
        return found

    def moment_of(
        self, told: Sequence[Context | None], ends: Sequence[int], height: int
    ) -> pl.DataFrame | None:
        if self._moments is None:
            return super().moment_of(told, ends, height)
        return self._moments.frame_of(told, ends, height)

    @abstractmethod
    def settings(self, **own: Any) -> Settings:  # noqa: ANN401 - values of Settings
        """Return the hyper-parameters of training as plain values, checked; raises ParameterError."""

    def _labels(self, sessions: Sessions) -> NDArray[np.int64] | None:
        """What is known of the moment of each event (E, C)."""
        if self._moments is None or sessions.moment is None:
            return None
        return self._moments.numbers_of(sessions.moment)

    def _train(
        self, loop: Loop, learner: Learner, sessions: Sessions, validation: Sessions | None
    ) -> tuple[EpochReport, ...]:
        """Train with what is known of the moments of clicks."""
        labels, weights = self._labels(sessions), loop.settings.target_weights
        if labels is None or not weights or self._moments is None:
            return loop.train(self, learner, sessions, validation, labels)
        worth = self._moments.worth_of(labels, weights)
        return loop.train(self, learner, sessions, validation, labels, worth)

    def _foretell_new(self, settings: Settings, sessions: Sessions) -> None:
        """Foretell the items without a click, where that is asked for."""
        if settings.boost_new is None or self.encoding_ is None:
            return
        judged, support = some_clicks(sessions, settings.seed), sessions.vocabulary.support
        labels = self._labels(judged)
        with self.network_.copies.changing():
            foretell_new(self.network_, support, judged, labels, settings.boost_new, settings.seed)

    def _take_in(self, learner: Learner) -> None:
        """The network that begins to learn, in the place of any other."""
        network, slots = learner.network, learner.optimiser.slots
        for name in ("_parts", "network_", "slots_"):
            vars(self).pop(name, None)
        if network.share == WHOLE:
            self.network_, self.slots_ = network, slots
        else:
            self._parts = Parts(network, slots, Exchange(*network.share))

    def _fitted_now(self) -> Fitted:
        return Fitted(self.vocabulary_, self.network_, self.slots_, self.recency_)

    def _take(self, fitted: Fitted) -> None:
        """The catalogue that it has now."""
        self.vocabulary_, self.recency_ = fitted.vocabulary, fitted.recency

    def _go_on(self, sessions: Sessions, loop: Loop, keep_vanished: bool) -> None:
        """Learn newer sessions besides."""
        require_same(loop.settings, self.network_, self.slots_, self.context_names)
        fitted = self._fitted_now()
        with self.network_.copies.changing():
            extension, self.recency_ = go_on(fitted, sessions, loop.forgetting, keep_vanished)
            sessions, self.new_items_ = extension.sessions, extension.new_items
            with fitting(self, sessions):
                self._remember(sessions)
                if not (lanes := lanes_needed(sessions, loop.settings)):
                    return
                learned = None if sessions.since is None else fitted.recency.until
                going_on = GoingOn(self.network_, self.slots_, learned)
                support = loop.forgetting.support(self.vocabulary_, self.recency_)
                learner = loop.settings.learner(support, lanes, resolve_device(str(self.device)), going_on)
                self.slots_ = learner.optimiser.slots
                self.history_ = self._train(loop.alone(), learner, sessions, None)

    def _similarities(self, number: int) -> NDArray[np.float32]:
        return cosines(self.network_, number)

    def _state(self) -> dict[str, NDArray[np.generic]]:
        facts = {} if self.encoding_ is None else self.encoding_.state()
        told = {} if self._moments is None else self._moments.state()
        own = self._parts.arrays() if self.is_divided else arrays_of(self.network_, self.slots_)
        return own | self.recency_.state() | facts | told

    def _layout(self) -> Layout:
        return {**network_layout(self.settings()), **Recency.layout()}

    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        settings = self.settings()
        self.moments_ = Moments.restored(state, settings.context)
        architecture = settings.architecture(len(self.vocabulary_))
        self.network_, self.slots_ = network_of(state, architecture, device_at_hand(str(self.device)))
        self.encoding_ = encoding_in(state)
        self.recency_ = Recency.restored(state, self.vocabulary_.support, (self.span_ or (0, 0))[1])
        self.history_ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if name in ("network_", "slots_") and self.is_divided:
                raise NotFittedError(
                    "the item tables of this model are divided among processes. What to do: call save in "
                    "each of them, and then recsys_gru.load"
                )
            return super().__getattr__(name)


def encoding_in(state: Mapping[str, NDArray[np.generic]]) -> Encoding | None:
    """What the columns of facts had become, in a saved model that has some.

    Raises:
        InputError: if some of its arrays are missing.
    """
    if not any(name.startswith(("items/", "facts/", "weights/facts.")) for name in state):
        return None
    needed = {*Encoding.layout(), *(f"items/{name}" for name in Facts._fields)}
    if missing := sorted(needed - state.keys()):
        raise InputError(f"expected all that tells of facts, or nothing; missing: {missing[:5]}")
    return Encoding.restored(state)
