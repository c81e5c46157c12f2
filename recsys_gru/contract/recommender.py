"""The contract that every model keeps: fit, recommend, save and load in one way, over any catalogue."""

import inspect
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.contract.answers import Allowed, bound_filter, one_session, ranked_items
from recsys_gru.contract.bundle import Bundle, write_bundle
from recsys_gru.contract.manifest import Manifest
from recsys_gru.contract.parameters import SearchSpace
from recsys_gru.contract.reading import read_bundle
from recsys_gru.errors import BundleError, ClickLogError, NotFittedError, ParameterError
from recsys_gru.files import Layout
from recsys_gru.observers import fitting
from recsys_gru.ranking import PREFIXES, Block
from recsys_gru.sessions import SessionData, Sessions, Vocabulary, as_sessions

log = logging.getLogger("recsys_gru")


class Recommender(ABC):
    """A model that learns from a click log and ranks the items a session may go on with.

    The constructor of a subclass stores hyper-parameters under their own names and does nothing else;
    everything that ``fit`` learns is an attribute whose name ends in ``_``. Two recommenders of equal
    ``repr`` have equal hyper-parameters.

    Attributes:
        vocabulary_: the items learned from, with their support.
        fingerprint_: of the sessions learned from.
    """

    vocabulary_: Vocabulary
    fingerprint_: str

    def fit(self, train: SessionData, validation: "SessionData | None" = None) -> Self:
        """Learn from a click log and forget what was learned before.

        Args:
            train: frame with session_id, item_id and time (Polars, lazy or not, or pandas), a path to one,
                or Sessions.
            validation: a later log of the same kind; only models that train in epochs look at it.

        Raises:
            ClickLogError: if the log has no event or only one item.
        """
        sessions = trainable(train)
        held_out = None if validation is None else as_sessions(validation, sessions.vocabulary)
        with fitting(self, sessions, held_out):
            self._fit(sessions, held_out)
            self.vocabulary_, self.fingerprint_ = sessions.vocabulary, sessions.fingerprint()
        return self

    def recommend(
        self,
        sessions: SessionData,
        k: int = 20,
        exclude_seen: bool = True,
        allow: Allowed = None,
        deny: Iterable[int | str] | None = None,
    ) -> pl.DataFrame:
        """Rank the k best next items of every session, exactly and over the whole catalogue.

        Clicks on items outside the vocabulary are left out of the session, counted and logged.

        Args:
            sessions: any number of sessions, in any form that ``fit`` takes.
            k: items wanted; fewer come where the catalogue or the filter holds fewer.
            exclude_seen: whether to leave out the items of the session itself.
            allow: only these item ids, or an ItemFilter.
            deny: never these item ids.

        Returns:
            session_id, rank (1 is best), item_id, score (Float32) and source; sessions ordered by their
            first time, then by id. Source is "model", or "popularity" (score: share of the training events)
            for a session without any known item.

        Raises:
            NotFittedError: before ``fit``.
        """
        packed = as_sessions(sessions, self.vocabulary_)
        _log_unknown(packed.unknown.height, packed.n_events, packed.n_sessions)
        answers = ranked_items(self, packed, k, bound_filter(packed, exclude_seen, allow, deny))
        return pl.DataFrame(
            {"session_id": packed.ids.gather(answers.session), **answers.columns(self.vocabulary_)}
        )

    def recommend_one(
        self,
        items: Iterable[int | str],
        k: int = 20,
        exclude_seen: bool = True,
        allow: Allowed = None,
        deny: Iterable[int | str] | None = None,
    ) -> pl.DataFrame:
        """Rank the k best next items of one raw session: the numbers that ``recommend`` gives for it.

        Args:
            items: ids in the order clicked, oldest first; none at all is answered by popularity.
            k: as in ``recommend``.
            exclude_seen: as in ``recommend``.
            allow: as in ``recommend``; an ItemFilter with availability needs its ``at``, as a raw session
                has no times.
            deny: as in ``recommend``.

        Returns:
            rank, item_id, score and source, as in ``recommend``.

        Raises:
            NotFittedError: before ``fit``.
        """
        if isinstance(items, str | bytes):
            raise ParameterError(f"expected a list of item ids, got the text {items!r}: put it in a list")
        numbers = np.array([self.vocabulary_.number(item) for item in items], dtype=np.int32)
        packed = one_session(numbers[numbers >= 0], self.vocabulary_)
        _log_unknown(len(numbers) - packed.n_events, packed.n_events, 1)
        bound = bound_filter(packed, exclude_seen, allow, deny)
        if bound.live is not None and bound.at is None:
            raise ParameterError(
                "a raw session has no times: give the moment that counts, ItemFilter(..., at=moment)"
            )
        return pl.DataFrame(ranked_items(self, packed, k, bound).columns(self.vocabulary_))

    def describe(self, sessions: SessionData) -> dict[str, int]:
        """Count what of these sessions the model knows.

        Returns:
            sessions, known_clicks, unknown_clicks, and unknown_sessions (those without any known item).
        """
        packed = as_sessions(sessions, self.vocabulary_)
        return {
            "sessions": packed.n_sessions,
            "known_clicks": packed.n_events,
            "unknown_clicks": packed.unknown.height,
            "unknown_sessions": int((packed.lengths == 0).sum()),
        }

    def save(
        self,
        folder: str | os.PathLike[str],
        metrics: Mapping[str, float] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write the fitted model to a folder, whole or not at all; equal models give equal bytes.

        Args:
            folder: a new folder, or that of an older model, which is replaced.
            metrics: figures to keep beside it.
            metadata: texts to keep beside it, such as a time of creation.

        Raises:
            NotFittedError: before ``fit``.
            BundleError: if the folder cannot be written or holds something else.
        """
        bundle = Bundle(
            model=type(self).__name__,
            parameters=self.parameters(),
            weights=self._state(),
            vocabulary=self.vocabulary_,
            fingerprint=self.fingerprint_,
            metrics=metrics or {},
            metadata=metadata or {},
        )
        write_bundle(folder, bundle)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a model from the folder that ``save`` wrote.

        Raises:
            BundleError: if anything in the folder is missing, damaged, foreign, newer, or of another class.
        """
        with _fitting_the_class(folder, cls.__name__):
            bundle = read_bundle(folder, lambda manifest: cls._made_of(manifest, folder)._layout())
            model = cls._made_of(bundle, folder)
            model.vocabulary_, model.fingerprint_ = bundle.vocabulary, bundle.fingerprint
            model._restore(bundle.weights)
        return model

    @classmethod
    def _made_of(cls, saved: Bundle | Manifest, folder: str | os.PathLike[str]) -> Self:
        """An unfitted model of the saved hyper-parameters."""
        if saved.model != cls.__name__:
            raise BundleError(
                f"{folder} holds a {saved.model}, expected a {cls.__name__}: use {saved.model}.load"
            )
        return cls(**{name: _from_json(value) for name, value in saved.parameters.items()})

    def parameters(self) -> dict[str, object]:
        """The hyper-parameters by name, as the constructor takes them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @classmethod
    def search_space(cls) -> SearchSpace:
        """What is worth tuning: a span (kind, lowest, highest, logarithmic) or a list of choices by name."""
        return {}

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
        """What the arrays of ``_state`` must be, N standing for the items; raises for impossible
        hyper-parameters.

        Every model of the library tells it: ``load`` looks at all arrays before ``_restore`` sees them.
        """
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.parameters().items())})"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if name.endswith("_") and not name.startswith("_"):
                raise NotFittedError(
                    f"{type(self).__name__} has no {name} yet: call fit or load before using it"
                )
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")


def trainable(train: SessionData, ids_like: Vocabulary | None = None) -> Sessions:
    """The sessions to learn from, with item ids of the type of an older vocabulary where there is one.

    Raises:
        ClickLogError: if they have no event or only one item.
    """
    sessions = as_sessions(train, ids_like=ids_like)
    if sessions.n_events == 0:
        raise ClickLogError(
            "expected a click log with events to learn from, got none: check the filters before fit"
        )
    if len(sessions.vocabulary) < 2:
        raise ClickLogError(
            f"expected at least two items to rank, got only {sessions.vocabulary.ids.to_list()} in "
            f"{sessions.n_events} events: lower min_support or take a longer log"
        )
    return sessions


@contextmanager
def _fitting_the_class(folder: str | os.PathLike[str], name: str) -> Iterator[None]:
    """Turn whatever a saved model makes its class raise into the one error of ``load``."""
    try:
        yield
    except BundleError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise BundleError(f"{folder} does not fit this version of {name}: {error}; fit it again") from error


def _log_unknown(unknown: int, known: int, n_sessions: int) -> None:
    if unknown:
        log.info("%d of %d clicks in %d sessions are on unknown items", unknown, unknown + known, n_sessions)


def _from_json(value: object) -> object:
    """Hyper-parameters are immutable: what JSON gives as a list was a tuple."""
    return tuple(_from_json(entry) for entry in value) if isinstance(value, list) else value
