"""Fitting and evaluating say here what they do; whoever asked hears it, nobody else pays for it.

The rooms that work announce, the rooms above (tracking, progress bars) listen. Listeners live in a context
variable: they end with their ``with`` block and never leak into another thread or task.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class FitStarted:
    """A recommender begins to fit; train and validation are packed Sessions (validation may be None)."""

    model: object
    train: object
    validation: object


@dataclass(frozen=True)
class EpochEnded:
    """A recommender has walked the training sessions once; report is its EpochReport."""

    model: object
    report: object


@dataclass(frozen=True)
class FitEnded:
    """A recommender is fitted, or has failed with the error."""

    model: object
    error: BaseException | None = None


@dataclass(frozen=True)
class Evaluated:
    """A recommender was evaluated; report is the evaluation's Report, test the packed Sessions, items the
    ItemFilter (may be None)."""

    model: object
    report: object
    test: object = None
    items: object = None


@dataclass(frozen=True)
class Followed:
    """A recommender was tested on a stream that it may have learned from period by period; report is the
    Prequential."""

    model: object
    report: object


Event: TypeAlias = FitStarted | EpochEnded | FitEnded | Evaluated | Followed
Listener: TypeAlias = Callable[[Event], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("recsys_gru_listeners", default=())


def announce(event: Event) -> None:
    """Tell every listener of this context, in the order they came.

    >>> announce(FitEnded("a model"))
    """
    for listener in _listeners.get():
        listener(event)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear every event announced inside the block.

    >>> heard = []
    >>> with listening(heard.append):
    ...     announce(FitEnded("a model"))
    >>> heard
    [FitEnded(model='a model', error=None)]
    """
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def unheard() -> Iterator[None]:
    """Let no listener hear what is announced inside the block: steps of what is announced as a whole.

    >>> heard = []
    >>> with listening(heard.append), unheard():
    ...     announce(FitEnded("a model"))
    >>> heard
    []
    """
    token = _listeners.set(())
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def epochs_as(model: object) -> Iterator[None]:
    """Let epochs that end inside the block, on threads too, be heard as those of this model, one after the
    other, and nothing else of it.

    >>> heard = []
    >>> with listening(heard.append), epochs_as("a blend"), fitting("a member", "sessions"):
    ...     announce(EpochEnded("a member", "loss 6.1"))
    >>> heard
    [EpochEnded(model='a blend', report='loss 6.1')]
    """
    outside, one_by_one = copy_context(), threading.Lock()

    def tell(event: Event) -> None:
        if isinstance(event, EpochEnded):
            with one_by_one:
                outside.run(announce, EpochEnded(model, event.report))

    with unheard(), listening(tell):
        yield


@contextmanager
def fitting(model: object, train: object, validation: object = None) -> Iterator[None]:
    """Announce that a fit begins and, however the block is left, how it ended.

    >>> heard = []
    >>> with listening(heard.append), fitting("a model", "sessions"):
    ...     announce(EpochEnded("a model", "loss 6.1"))
    >>> [type(event).__name__ for event in heard]
    ['FitStarted', 'EpochEnded', 'FitEnded']
    """
    announce(FitStarted(model, train, validation))
    try:
        yield
    except BaseException as error:
        announce(FitEnded(model, error))
        raise
    announce(FitEnded(model))
