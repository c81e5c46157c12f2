"""The sessions a recommender learns from, all at once or piece by piece."""

from datetime import datetime

from recsys_gru.contract.span import Span
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.forked import need_threads
from recsys_gru.sessions import SessionData, Sessions, Vocabulary, as_sessions, moment_of


def trainable(
    train: SessionData, ids_like: Vocabulary | None = None, context: tuple[str, ...] = ()
) -> Sessions:
    """The sessions to learn from, with item ids of the type of an older vocabulary where there is one.

    Raises:
        ClickLogError: if they have no event or only one item.
        ForkError: in a process forked after the library had been used.
    """
    need_threads("fit")
    sessions = as_sessions(train, ids_like=ids_like, context=context)
    if sessions.n_events == 0:
        raise ClickLogError(NO_EVENT)
    if len(sessions.vocabulary) < 2:
        raise ClickLogError(
            f"expected at least two items to rank, got only {sessions.vocabulary.ids.to_list()} in "
            f"{sessions.n_events} events: lower min_support or take a longer log"
        )
    return sessions


def refuse_facts(model: object, items: object) -> None:
    """Raise ParameterError where a model that learns from clicks alone is given facts about items."""
    if items is not None:
        raise ParameterError(
            f"{type(model).__name__} learns from clicks alone: give the facts about items to GRU4Rec, "
            "GRU4Rec(...).fit(train, items=...), or leave items out"
        )


def newer_clicks(
    newer: SessionData,
    vocabulary: Vocabulary,
    since: datetime | None,
    learned: Span | None,
    pairs: bool = True,
    context: tuple[str, ...] = (),
) -> Sessions:
    """The sessions to go on learning from, numbered by themselves.

    Args:
        newer: clicks; of whole sessions, or with `since` those before that moment as context.
        vocabulary: of what was learned before; it tells the type of ids.
        since: learn the clicks from this moment on.
        learned: first and last event learned before, microseconds since 1970.
        context: what must be known about the moments of clicks.
        pairs: whether whole sessions without two clicks on different items are nothing to learn.

    Raises:
        ClickLogError: without `since`, if there is nothing to learn; with it, if a click from it on is not
            later than what was learned.
        ParameterError: if `since` is no moment.
    """
    if isinstance(newer, Sessions) and newer.unknown.height:
        newer = newer.numbered_by(None)
    if pairs and since is None and getattr(newer, "since", None) is None:
        sessions = trainable(newer, vocabulary, context)
        if not (sessions.lengths > 1).any():
            raise ClickLogError(NO_PAIR)
        return sessions
    need_threads("fit")
    sessions = as_sessions(newer, ids_like=vocabulary, context=context)
    sessions = sessions if since is None else sessions.from_moment(since)
    if sessions.since is None:
        if not sessions.n_events:
            raise ClickLogError(NO_EVENT)
        return sessions
    times = sessions.times[sessions.counted]
    if learned is not None and len(times) and times.min() <= learned[1]:
        again = int((times <= learned[1]).sum())
        until = moment_of(learned[1]).isoformat(" ")
        raise ClickLogError(
            f"expected clicks not learned yet, got {again:,} of {len(times):,} that are not later than "
            f"{until}, until when the model has learned: pass a later since, and leave late clicks to the "
            "next fit"
        )
    return sessions


NO_EVENT = (
    "expected a click log with events to learn from, got none. What to do: see why rows were rejected "
    "(check_clicks) and whether the cut left any, or lower min_support and min_length"
)
NO_PAIR = (
    "expected a session with two events or more to learn from, got none: check the session ids, or build "
    "sessions with sessionize(gap=...)"
)
