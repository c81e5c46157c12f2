"""What a model is asked: ids as a caller has them at hand, and sessions whose rows are in order already."""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import is_bool, shown
from recsys_gru.clicks.frames import TIME, UTC_TIME
from recsys_gru.clicks.read import has_time
from recsys_gru.clicks.scan import collect, scan
from recsys_gru.errors import ParameterError
from recsys_gru.sessions.data import as_sessions, packed_folder
from recsys_gru.sessions.ordered import without_times
from recsys_gru.sessions.packed import SessionData, Sessions
from recsys_gru.sessions.vocabulary import Vocabulary

_WHOLE = re.compile(r"\s*(-?(?:0|[1-9][0-9]*))(?:\.0+)?\s*")
"""Texts that the readers of click logs take for whole numbers."""
ORDERED = "items"
"""What a caller's list is called where its order is that of the clicks."""
_LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def asked_numbers(vocabulary: Vocabulary, ids: Iterable[object], name: str) -> NDArray[np.int32]:
    """The item numbers (n,) of ids that a caller gives, -1 where an id is unknown.

    Ids of the other type are taken where they say exactly the same: "12" for 12, and 12 for "12" in a
    vocabulary that has such texts. No query of Polars is made: it works in a forked process too.

    Raises:
        ParameterError: if it is no list, or an id cannot be one of this vocabulary's.

    >>> vocabulary = Vocabulary(pl.Series([12, 7]), np.array([3, 1]))
    >>> asked_numbers(vocabulary, ["12", 7.0, 2**70], "items")
    array([ 0,  1, -1], dtype=int32)
    """
    given = _listed(ids, name)
    read = _as_whole if vocabulary.ids.dtype.is_integer() else _as_text
    numbers = [vocabulary.number(read(vocabulary, one, name)) for one in given]
    return np.array(numbers, dtype=np.int32)


def asked_sessions(
    data: SessionData, vocabulary: Vocabulary, context: Sequence[str] = ()
) -> tuple[Sessions, bool]:
    """Packed sessions in this vocabulary, and whether they have times.

    A frame or file without a column of times is taken as it lies: its rows are in order, oldest first.

    Raises:
        SchemaError: a column is missing or of the wrong type.
        ClickLogError: a file cannot be read, or a value is null.
    """
    is_folder = isinstance(data, str | Path) and packed_folder(Path(data), test=True) is not None
    if isinstance(data, Sessions) or is_folder:
        return as_sessions(data, vocabulary, context=context), True
    names, rows = _opened(data)
    if has_time(names):
        return as_sessions(data, vocabulary, context=context), True
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    when = (pl.lit(_LONG_AGO, dtype=UTC_TIME).cast(pl.Int64) + place).cast(UTC_TIME).alias(TIME)
    sessions = as_sessions(rows.with_columns(when), vocabulary, context=context)
    return replace(sessions, moment=without_times(sessions.moment)), False


def _opened(data: SessionData) -> tuple[list[str], pl.LazyFrame]:
    """The names of the columns, and the rows; texts of a CSV are numbers where all of a column are."""
    frame, untyped = scan(data)  # type: ignore[arg-type] # the caller has dealt with Sessions
    names = frame.collect_schema().names()
    if not untyped or has_time(names):
        return names, frame
    whole = collect(frame.select(pl.all().str.contains(f"^{_WHOLE.pattern}$").all())).row(0, named=True)
    digits = (pl.col(name).str.strip_chars().str.replace(r"\.0+$", "") for name in names if whole[name])
    return names, frame.with_columns(column.cast(pl.Int64, strict=False) for column in digits)


def _listed(ids: Iterable[object], name: str) -> list[object]:
    if isinstance(ids, str | bytes):
        raise ParameterError(f"expected {name} as a list of item ids, got the text {ids!r}: put it in a list")
    if isinstance(ids, pl.Series):
        return ids.to_list()
    if name == ORDERED and isinstance(ids, Set):
        raise ParameterError(
            f"expected {name} in the order clicked, got a set, which has none: put them in a list, "
            "oldest first"
        )
    if isinstance(ids, dict) or not isinstance(ids, Iterable):
        raise ParameterError(f"expected {name} as a list of item ids, got {shown(ids)}: put it in a list")
    return list(ids)


def _as_whole(_: Vocabulary, one: object, name: str) -> int:
    """The id as a whole number, out of a text or another kind of number."""
    if type(one) is int:  # nearly always
        return one
    if isinstance(one, str):
        matched = _WHOLE.fullmatch(one)
        if matched:
            return int(matched[1])
    elif not is_bool(one):
        number = _whole_or_none(one)
        if number is not None:
            return number
    raise ParameterError(
        f"expected {name} as whole numbers, the ids this model knows, got {shown(one)}: give the ids as the "
        "training log has them"
    )


def _as_text(vocabulary: Vocabulary, one: object, name: str) -> str:
    """The id as text, out of a whole number where the vocabulary has whole numbers as texts."""
    if isinstance(one, str):
        return one.strip()  # as the readers of click logs do
    number = None if is_bool(one) or isinstance(one, float) else _whole_or_none(one)
    if number is not None and vocabulary.has_whole_texts:
        return str(number)
    raise ParameterError(
        f"expected {name} as texts, the ids this model knows (such as {vocabulary.ids[:3].to_list()}), got "
        f"{shown(one)}: give the ids as the training log has them"
    )


def _whole_or_none(one: object) -> int | None:
    try:
        number = int(one)  # type: ignore[call-overload] # what it does not take is refused by the caller
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if not isinstance(one, bytes | bytearray) and number == one else None
