"""What a log tells of the moment of a click beside item and time: columns of labels, such as its device."""

from collections.abc import Iterable

import polars as pl

from recsys_gru.clicks.frames import ITEM, ORDER, SESSION, TIME, USER
from recsys_gru.errors import ParameterError, SchemaError

GAP, HOUR = "gap", "hour"
DERIVED = (GAP, HOUR)
"""Made from the time where the log has no columns of these names: the seconds since the click before in its
session, and the hour of the day (UTC)."""


def context_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of columns of moments.

    Raises:
        ParameterError: they are no list of different texts, or one says whose click it is, on what or when.
    """
    given = names if isinstance(names, list | tuple) else None
    if given is None or not all(isinstance(name, str) and name for name in given):
        raise ParameterError(f"expected context as a list of names of columns, got {names!r}: ('device',)")
    taken = {SESSION, ITEM, TIME, USER, ORDER} & set(given)
    if taken or len(set(given)) < len(given):
        raise ParameterError(
            f"expected context as different columns beside session, item and time, got {given!r}"
        )
    return tuple(given)


def label_text(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as labels: text without blanks around it, null for none; 3.0 is 3, as missing values make
    floats of whole numbers.

    Raises:
        SchemaError: it is of a type that is no label.
    """
    column = pl.col(name)
    if kind.is_nested() or kind.is_temporal() or kind in (pl.Object, pl.Binary):
        raise SchemaError(
            f"the column {name!r} is {kind}, which is no label: the context of a click is text, categories, "
            "booleans or whole numbers. What to do: cut it into a few labels, or leave it out"
        )
    text = column.cast(pl.String)
    if kind.is_float():
        whole = column.cast(pl.Int64, strict=False)
        text = pl.when(whole == column).then(whole.cast(pl.String)).when(column.is_finite()).then(text)
    text = text.str.normalize("NFC").str.strip_chars()
    return pl.when(text != "").then(text).alias(name)


def context_of_frame(frame: pl.LazyFrame, names: Iterable[str]) -> list[str]:
    """Those of the columns that a frame has; the others can be made from its times.

    Raises:
        SchemaError: one is missing.
    """
    found = frame.collect_schema().names()
    if missing := [name for name in names if name not in found and name not in DERIVED]:
        raise SchemaError(
            f"no column {missing[0]!r} for context. Found: {', '.join(found)}. What to do: read the log with "
            f"read_clicks(..., context={tuple(names)!r}), and keep the column on the way"
        )
    return [name for name in names if name in found]
