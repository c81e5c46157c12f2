"""Sessions in parts that can be worked on apart, wherever the model is, whose catalogue they are in."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from recsys_gru.clicks.frames import SESSION
from recsys_gru.sessions.packed import Sessions
from recsys_gru.sessions.vocabulary import Vocabulary


def parts_of(sessions: Sessions, parts: int) -> Iterator[Sessions]:
    """The sessions in order in so many parts of about as many each, one at least, with their clicks on
    unknown items; without the vocabulary, which is that of the model.

    >>> import polars as pl
    >>> log = pl.DataFrame({"session_id": [1, 1, 2], "item_id": list("aba"), "time": [1, 2, 3]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> [part.items.tolist() for part in parts_of(Sessions.from_events(log), 2)]
    [[0, 1], [0]]
    """
    nothing = Vocabulary(sessions.vocabulary.ids.clear(), np.empty(0, np.int64))
    for chosen in np.array_split(np.arange(sessions.n_sessions), max(1, min(parts, sessions.n_sessions))):
        part = sessions.part(chosen)
        unknown = sessions.unknown.join(
            part.ids.to_frame(SESSION), on=SESSION, how="semi", maintain_order="left"
        )
        yield replace(part, unknown=unknown, vocabulary=nothing)


def within(part: Sessions, vocabulary: Vocabulary) -> Sessions:
    """A part with the vocabulary again."""
    return replace(part, vocabulary=vocabulary)
