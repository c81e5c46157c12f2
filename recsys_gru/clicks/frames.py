"""What the room's functions agree on: the columns of a click log and the kinds of frames they take."""

from typing import TYPE_CHECKING, TypeAlias, TypeVar

import polars as pl

from recsys_gru.errors import SchemaError

if TYPE_CHECKING:
    import pandas as pd

SESSION, ITEM, TIME, USER = "session_id", "item_id", "time", "user_id"
AS_READ = "_as_read"  # the end of the name of a column that holds values as they came
KIND = "kind" + AS_READ  # in published logs: what a row is that is no click
START = "_start"  # the first time of a row's session
EVENT_ORDER = (SESSION, TIME, ITEM)
UTC_TIME = pl.Datetime("us", "UTC")

Frame: TypeAlias = "pl.LazyFrame | pl.DataFrame | pd.DataFrame"
PolarsFrame = TypeVar("PolarsFrame", pl.LazyFrame, pl.DataFrame)


def is_pandas(data: object) -> bool:
    """Whether the object is a pandas frame, found out without importing pandas."""
    return type(data).__module__.partition(".")[0] == "pandas" and type(data).__name__ == "DataFrame"


def lazy(frame: Frame) -> pl.LazyFrame:
    """The frame as a Polars LazyFrame; the caller's frame is not changed."""
    if isinstance(frame, pl.LazyFrame):
        return frame
    if isinstance(frame, pl.DataFrame):
        return frame.lazy()
    if is_pandas(frame):
        return _of_pandas(frame).lazy()
    raise SchemaError(f"expected a Polars or pandas frame, got {type(frame).__name__}")


def _of_pandas(frame: "pd.DataFrame") -> pl.DataFrame:
    """Times with a zone go over as UTC: the way between the libraries drops the zone."""
    zoned = [str(name) for name, kind in frame.dtypes.items() if getattr(kind, "tz", None) is not None]
    plain = frame.assign(**{name: frame[name].dt.tz_convert(None) for name in zoned})
    try:
        table = pl.from_pandas(plain)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"cannot take the pandas frame: {error}. What to do: give each column one type"
        ) from error
    return table.with_columns(pl.col(name).dt.replace_time_zone("UTC") for name in zoned)


def same_kind(frame: pl.DataFrame, given: Frame) -> pl.LazyFrame | pl.DataFrame:
    """The result as the kind of frame that was given: lazy for lazy, a DataFrame otherwise."""
    return frame.lazy() if isinstance(given, pl.LazyFrame) else frame


def require(frame: pl.LazyFrame, *columns: str) -> None:
    """Stop with the columns that are there when one is missing.

    Raises:
        SchemaError: a column is missing.
    """
    found = frame.collect_schema().names()
    missing = [name for name in columns if name not in found]
    if missing:
        raise SchemaError(
            f"expected the columns {', '.join(columns)}; {', '.join(missing)} missing; found "
            f"{', '.join(found)}. Read the log with read_clicks, which names the columns"
        )


def key_columns(frame: pl.LazyFrame) -> list[str]:
    """The columns that say whose click it is: session_id, user_id or both."""
    found = frame.collect_schema().names()
    keys = [name for name in (SESSION, USER) if name in found]
    if not keys:
        raise SchemaError(f"expected a column {SESSION} or {USER}; found {', '.join(found)}")
    return keys
