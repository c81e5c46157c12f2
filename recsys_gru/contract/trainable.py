"""The sessions a recommender learns from."""

from recsys_gru.errors import ClickLogError
from recsys_gru.forked import need_threads
from recsys_gru.sessions import SessionData, Sessions, Vocabulary, as_sessions


def trainable(train: SessionData, ids_like: Vocabulary | None = None) -> Sessions:
    """The sessions to learn from, with item ids of the type of an older vocabulary where there is one.

    Raises:
        ClickLogError: if they have no event or only one item.
        ForkError: in a process forked after the library had been used.
    """
    need_threads("fit")
    sessions = as_sessions(train, ids_like=ids_like)
    if sessions.n_events == 0:
        raise ClickLogError(
            "expected a click log with events to learn from, got none. What to do: see why rows were "
            "rejected (check_clicks) and whether the cut left any, or lower min_support and min_length"
        )
    if len(sessions.vocabulary) < 2:
        raise ClickLogError(
            f"expected at least two items to rank, got only {sessions.vocabulary.ids.to_list()} in "
            f"{sessions.n_events} events: lower min_support or take a longer log"
        )
    return sessions
