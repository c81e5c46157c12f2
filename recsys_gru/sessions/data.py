"""Whatever a caller has, as packed sessions."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recsys_gru.arguments import shown
from recsys_gru.clicks.check import ready
from recsys_gru.clicks.frames import ITEM, SESSION, Frame
from recsys_gru.clicks.ids import TEXT, as_whole
from recsys_gru.clicks.order import sorted_rows, without_item_order
from recsys_gru.clicks.read import read_clicks
from recsys_gru.clicks.scan import is_paths
from recsys_gru.errors import ParameterError, SchemaError
from recsys_gru.files import Url, exists, place_at
from recsys_gru.sessions.files import PREPARED, is_packed, read_sessions
from recsys_gru.sessions.packed import SessionData, Sessions
from recsys_gru.sessions.seals import copy_of
from recsys_gru.sessions.vocabulary import Vocabulary


def as_sessions(
    data: SessionData,
    vocabulary: Vocabulary | None = None,
    *,
    ids_like: Vocabulary | None = None,
    context: Sequence[str] = (),
) -> Sessions:
    """Packed sessions out of sessions, a frame, a path or a prepared folder, numbered by ``vocabulary`` where
    one is given.

    Of a folder that ``prepare`` wrote it is the training part, and with a vocabulary the test part. The type
    of item ids is that of the vocabulary, or of ``ids_like``, which numbers nothing. ``context`` names what
    must be known about the moments of clicks.

    Raises:
        SchemaError: a column is missing, or no item id can be of the vocabulary's type.
        ClickLogError: a file cannot be read, or a value is null.

    >>> as_sessions(pl.DataFrame({"session_id": [1, 1], "item_id": [7, 7], "time": [1, 2]})).n_events
    2
    """
    for name, known in (("vocabulary", vocabulary), ("ids_like", ids_like)):
        if known is not None and not isinstance(known, Vocabulary):
            raise ParameterError(
                f"expected {name} as a Vocabulary, got {shown(known)}: a model's vocabulary_"
            )
    if isinstance(data, (str, Path)) and (folder := packed_folder(data, test=vocabulary is not None)):
        data = read_sessions(folder)
    if not isinstance(data, Sessions):
        like = vocabulary if vocabulary is not None else ids_like
        events = read_like(data, like, context)
        if vocabulary is not None:
            return Sessions.from_events(events, vocabulary, context)
        table = _retyped(sorted_rows(events.collect(), SESSION), ids_like)
        return Sessions.from_events(without_item_order(table, SESSION), context=context)
    require_context(data, context)
    if vocabulary is None or vocabulary is data.vocabulary or vocabulary == data.vocabulary:
        return data
    return data.numbered_by(vocabulary)


def require_context(sessions: Sessions, context: Sequence[str]) -> None:
    """Refuse packed sessions that do not tell of the moments what they must.

    Raises:
        SchemaError: naming what they lack.
    """
    told = [] if sessions.moment is None else sessions.moment.columns
    if missing := [name for name in context if name not in told]:
        raise SchemaError(
            f"expected sessions with the context {', '.join(missing)}; they tell of "
            f"{', '.join(told) or 'none'}. What to do: pack them with it, "
            f"Sessions.from_events(events, context={tuple(context)!r}), or give the frame itself"
        )


def packed_folder(path: str | Path, *, test: bool) -> Path | None:
    """The folder of packed sessions that a path stands for: itself, or a part of a prepared log, brought here
    from an object store if it lies there.
    """
    place = place_at(path)
    if is_prepared(place):
        folder = copy_of(place) if isinstance(place, Url) else place
        return folder / ("test" if test else "train")
    return place if isinstance(place, Path) and is_packed(place) else None


def is_prepared(path: str | Path | Url) -> bool:
    """Whether ``prepare`` wrote what lies there."""
    place = place_at(path)
    return exists(place / PREPARED) if isinstance(place, Url) else (place / PREPARED).is_file()


def read_like(
    data: "Frame | str | Path", like: Vocabulary | None, context: Sequence[str] = ()
) -> pl.LazyFrame:
    """Clicks as read_clicks gives them; the items of a CSV are text where those of the vocabulary are, also
    if every one of them looks like a number.
    """
    of_text = like is not None and len(like) > 0 and like.ids.dtype == pl.String
    if is_paths(data):
        return read_clicks(data, ids={ITEM: TEXT} if of_text else None, context=context)
    return ready(data, context)  # type: ignore[arg-type]


def _retyped(table: pl.DataFrame, like: Vocabulary | None) -> pl.DataFrame:
    """Events with items of the type of a vocabulary that they may add to.

    Raises:
        SchemaError: an id cannot be of that type.
    """
    if like is None or not len(like) or like.ids.dtype == table.schema[ITEM]:
        return table
    if like.ids.dtype == pl.String:
        return table.with_columns(pl.col(ITEM).cast(pl.String))
    number = table.select(as_whole(pl.col(ITEM).cast(pl.String))).to_series()
    if odd := table[ITEM].filter(number.is_null() & table[ITEM].is_not_null()).unique().head(5).to_list():
        raise SchemaError(
            f"the model knows item ids that are whole numbers; got {odd}. What to do: leave those clicks "
            "out, or fit on ids of text"
        )
    return table.with_columns(number.alias(ITEM))
