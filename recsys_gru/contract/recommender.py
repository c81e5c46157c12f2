"""The contract that every model keeps: fit, recommend, save and load in one way, over any catalogue."""

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import place, whole_number
from recsys_gru.contract import answers
from recsys_gru.contract.answers import Allowed
from recsys_gru.contract.bundle import Bundle
from recsys_gru.contract.estimator import Estimator
from recsys_gru.contract.manifest import Manifest
from recsys_gru.contract.parameters import SearchSpace
from recsys_gru.contract.reading import read_bundle, refused_as_bundle
from recsys_gru.contract.span import Span, span_in, span_of, with_span
from recsys_gru.contract.trainable import refuse_facts, trainable
from recsys_gru.contract.writing import write_bundle
from recsys_gru.engines import EngineLike
from recsys_gru.errors import BundleError, InputError, NotFittedError, ParameterError
from recsys_gru.facts import Context, ItemsData
from recsys_gru.files import Layout
from recsys_gru.forked import need_threads
from recsys_gru.observers import fitting
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.sessions import SessionData, Sessions, Vocabulary, as_sessions, asked_numbers


class Recommender(Estimator):
    """A model that learns from a click log and ranks the items a session may go on with.

    The constructor of a subclass stores hyper-parameters under their own names and does nothing else; what
    ``fit`` learns is in attributes whose names end in ``_``. ``get_params``, ``set_params`` and
    ``sklearn.base.clone`` work as on scikit-learn's estimators; ``parameters`` are the same as plain values.

    Attributes:
        vocabulary_: the items learned from, with their support.
        fingerprint_: of the sessions learned from.
        span_: first and last event learned from, microseconds since 1970; None where not known.
        parameters_: the plain hyper-parameters it was learned with; ``save`` keeps these.
        logits: whether scores are logarithms, as a network's, and not weights of at least 0.
        probabilities: whether scores are probabilities over the catalogue.
    """

    vocabulary_: Vocabulary
    fingerprint_: str
    span_: Span | None
    parameters_: dict[str, object]
    logits: ClassVar[bool] = False
    probabilities: ClassVar[bool] = False

    def fit(
        self, train: SessionData, validation: "SessionData | None" = None, *, items: "ItemsData | None" = None
    ) -> Self:
        """Learn from a click log and forget what was learned before.

        Args:
            train: frame of session_id, item_id and time (Polars or pandas), a path to one, or Sessions.
            validation: a later log of the same kind; only models that train in epochs look at it.
            items: facts about items, which GRU4Rec alone learns from.

        Raises:
            ParameterError: if a hyper-parameter is impossible, or facts are given that it cannot use.
            ClickLogError: if the log has no event or only one item.
            ForkError: in a process forked after the library had been used.
        """
        self.check_parameters()
        refuse_facts(self, items)
        sessions = trainable(train)
        held_out = None if validation is None else as_sessions(validation, sessions.vocabulary)
        vars(self).pop("span_", None)
        with fitting(self, sessions, held_out):
            self._fit(sessions, held_out)
            self._remember(sessions)
        return self

    def recommend(
        self,
        sessions: SessionData,
        k: int = 20,
        exclude_seen: bool = True,
        allow: Allowed = None,
        deny: Iterable[int | str] | None = None,
        engine: EngineLike = "local",
    ) -> pl.DataFrame:
        """Rank the k best next items of every session, exactly and over the whole catalogue.

        Clicks on items outside the vocabulary are left out of the session, counted and logged.

        Args:
            sessions: in any form that ``fit`` takes; rows that are in order already need no time.
            k: items wanted; fewer come where the catalogue or the filter holds fewer.
            exclude_seen: whether to leave out the items of the session itself.
            allow, deny: only these item ids, or an ItemFilter; never these.
            engine: who ranks: this process, or with "ray" the workers of a cluster.

        Returns:
            session_id, rank (1 is best), item_id, score and source; sessions ordered by first time, then id,
            or as they come. Source is "model", or "popularity" (share of events) where no item is known.

        Raises:
            NotFittedError: before ``fit``.
            InputError: if an argument is not one of those above.
            ForkError: in a process forked after the library had been used; ``recommend_one`` works there.
        """
        k = whole_number("k", k, 1)
        need_threads("recommend")
        return answers.of_sessions(self, sessions, k, exclude_seen, allow, deny, engine)

    def recommend_one(
        self,
        items: Iterable[int | str],
        k: int = 20,
        exclude_seen: bool = True,
        allow: Allowed = None,
        deny: Iterable[int | str] | None = None,
        context: Context | None = None,
    ) -> pl.DataFrame:
        """Rank the k best next items of one raw session: the numbers that ``recommend`` gives for it.

        Args:
            items: ids in the order clicked, oldest first; none at all is answered by popularity. Numbers and
                texts stand for each other where they say the same.
            k, exclude_seen, deny: as in ``recommend``.
            allow: as in ``recommend``; an ItemFilter with availability needs its ``at``, as a raw session
                has no times.
            context: what is known about the moment of the last click, by name, where the model was fitted
                with such columns: {"device": "phone"}.

        Returns:
            rank, item_id, score and source, as in ``recommend``.

        Raises:
            NotFittedError: before ``fit``.
            InputError: if an argument is not one of those above, or an id of a kind the model cannot know.
        """
        k = whole_number("k", k, 1)
        return answers.of_one(self, items, k, exclude_seen, allow, deny, context)

    def similar_items(self, item: int | str, k: int = 20) -> pl.DataFrame:
        """Rank the k items most like one item, the item itself left out.

        GRU4Rec compares the items' rows by their cosine; models from item to item give the scores they have,
        and no item they have none for.

        Returns:
            rank, item_id and score (Float32).

        Raises:
            NotFittedError: before ``fit``.
            InputError: if the item is unknown, or the model compares no items.
        """
        k = whole_number("k", k, 1)
        number = int(asked_numbers(self.vocabulary_, [item], "the item")[0])
        scores = self._similarities(max(number, 0))
        if number < 0:
            raise InputError(f"expected an item of the catalogue, got {item!r}: the model does not know it")
        return answers.similar(self.vocabulary_, number, k, scores)

    def describe(self, sessions: SessionData) -> dict[str, int]:
        """Count what of these sessions the model knows.

        Returns:
            sessions, known_clicks, unknown_clicks, and unknown_sessions (those without any known item).
        """
        return answers.known_in(self, sessions)

    def save(
        self,
        folder: str | os.PathLike[str],
        metrics: Mapping[str, float] | None = None,
        metadata: Mapping[str, str] | None = None,
        base: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write the fitted model to a folder, whole or not at all; equal models give equal bytes.

        Args:
            folder: a new folder, or that of an older model, which is replaced.
            metrics, metadata: figures and texts to keep beside it, such as a time of creation.
            base: the folder of what it was before it went on learning: only what has changed is written.

        Raises:
            NotFittedError, BundleError: before ``fit``; if the folder cannot be written or is no model's.
        """
        need_threads("save")
        folder = place("folder", folder)
        bundle = Bundle(
            model=type(self).__name__,
            parameters=vars(self).get("parameters_") or self.parameters(),
            weights=self._state(),
            vocabulary=self.vocabulary_,
            fingerprint=self.fingerprint_,
            metrics=metrics or {},
            metadata=with_span(self.span_, metadata),
        )
        write_bundle(folder, bundle, None if base is None else place("base", base))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a model from the folder that ``save`` wrote.

        Raises:
            BundleError: if anything in the folder is missing, damaged, foreign, newer, or of another class.
        """
        need_threads("load")
        folder = place("folder", folder)
        with refused_as_bundle(folder, cls.__name__):
            bundle = read_bundle(folder, lambda manifest: cls.made_of(manifest, folder)._layout())
            return cls.of_bundle(bundle, folder)

    @classmethod
    def of_bundle(cls, bundle: Bundle, folder: str | os.PathLike[str]) -> Self:
        """The model that a bundle holds; the folder is for messages only."""
        model = cls.made_of(bundle, folder)
        model.vocabulary_, model.fingerprint_ = bundle.vocabulary, bundle.fingerprint
        model.span_, model.parameters_ = span_in(bundle.metadata), model.parameters()
        model._restore(bundle.weights)
        return model

    @classmethod
    def made_of(cls, saved: Bundle | Manifest, folder: str | os.PathLike[str]) -> Self:
        """An unfitted model of the saved hyper-parameters, as plain values that are possible."""
        if saved.model != cls.__name__:
            raise BundleError(
                f"{folder} holds a {saved.model}, expected a {cls.__name__}: use {saved.model}.load, or "
                "recsys_gru.load for any"
            )
        model = cls(**saved.parameters)._plain()
        model._require_possible()
        return model

    @classmethod
    def search_space(cls) -> SearchSpace:
        """What is worth tuning: a span (kind, lowest, highest, logarithmic) or a list of choices by name."""
        return {}

    @property
    def context_names(self) -> tuple[str, ...]:
        """What it must be told of the moments of clicks, by the names of columns."""
        return ()

    def moment_of(
        self, told: Sequence[Context | None], ends: Sequence[int], height: int
    ) -> pl.DataFrame | None:
        """What is told of the events at `ends`, among so many, as packed sessions have it."""
        del ends, height
        if any(told):
            raise ParameterError(f"this {type(self).__name__} knows no context: leave it out")
        return None

    def _remember(self, sessions: Sessions) -> None:
        """What it was learned from, and with what."""
        self.vocabulary_, self.fingerprint_ = sessions.vocabulary, sessions.fingerprint()
        self.span_, self.parameters_ = span_of(sessions, vars(self).get("span_")), self.parameters()

    def _similarities(self, number: int) -> NDArray[np.float32]:
        """How like each item (N,) is to one of them; minus infinity where nothing is known."""
        raise ParameterError(
            f"{type(self).__name__} compares no items with each other: ask GRU4Rec, Markov, SequentialRules "
            f"or ItemKNN what is similar to item number {number}"
        )

    @abstractmethod
    def blocks(self, sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        """Score prefixes of sessions in the vocabulary's item numbers, at most ``rows`` of them a block.

        With ``every`` each event that has a next event in its session ends a prefix, without it only the
        last event of each non-empty session does.
        """

    @abstractmethod
    def _fit(self, sessions: Sessions, validation: Sessions | None) -> None:
        """Learn; ``vocabulary_`` is set by the caller afterwards."""

    @abstractmethod
    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fitted arrays by name; raises NotFittedError before fit."""

    @abstractmethod
    def _restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take the fitted arrays back; ``vocabulary_`` is set already."""

    def _layout(self) -> Layout | None:
        """What the arrays of ``_state`` must be, N standing for the items; every model of the library tells
        it: ``load`` looks at all of them before ``_restore`` sees them.
        """
        return None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if name.endswith("_") and not name.startswith("_") and "vocabulary_" not in vars(self):
                raise NotFittedError(
                    f"{type(self).__name__} has no {name} yet: call fit or load before using it"
                )
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}", name=name, obj=self)
