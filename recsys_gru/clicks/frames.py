"""What the room's functions agree on: the columns of a click log and the kinds of frames they take."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import polars as pl

from recsys_gru.errors import SchemaError

if TYPE_CHECKING:
    import pandas as pd

SESSION, ITEM, TIME, USER = "session_id", "item_id", "time", "user_id"
ORDER = "click_order"  # in which order clicks of equal time came, where the log says so
AS_READ = "_as_read"  # the end of the name of a column that holds values as they came
KIND = "kind" + AS_READ  # in published logs: what a row is that is no click
START = "_start"  # the first time of a row's session
EVENT = (SESSION, ITEM, TIME)
UTC_TIME = pl.Datetime("us", "UTC")

Frame: TypeAlias = "pl.LazyFrame | pl.DataFrame | pd.DataFrame | Mapping[str, Any]"
"""A Polars (lazy or not) or pandas frame, an Arrow table, or a dict of columns."""
PolarsFrame = TypeVar("PolarsFrame", pl.LazyFrame, pl.DataFrame)


def is_pandas(data: object) -> bool:
    """Whether the object is a pandas frame, found out without importing pandas."""
    return type(data).__module__.partition(".")[0] == "pandas" and type(data).__name__ == "DataFrame"


def is_arrow(data: object) -> bool:
    """Whether the object is an Arrow table or batch, found out without importing pyarrow."""
    return type(data).__module__.partition(".")[0] == "pyarrow" and type(data).__name__ in (
        "Table",
        "RecordBatch",
    )


def is_frame(data: object) -> bool:
    """Whether the object is a frame of any kind that is taken."""
    known = isinstance(data, (pl.LazyFrame, pl.DataFrame, Mapping))
    return known or is_pandas(data) or is_arrow(data)


def lazy(frame: Frame) -> pl.LazyFrame:
    """The frame as a Polars LazyFrame; the caller's frame is not changed."""
    if isinstance(frame, pl.LazyFrame):
        return frame
    if isinstance(frame, pl.DataFrame):
        return frame.lazy()
    try:
        if is_pandas(frame):
            return _of_pandas(frame).lazy()  # type: ignore[arg-type]
        if is_arrow(frame):
            return pl.DataFrame(frame).lazy()
        if isinstance(frame, Mapping):
            return pl.DataFrame({name: _told_as_text(values) for name, values in frame.items()}).lazy()
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise SchemaError(f"cannot take the {type(frame).__name__}: {_fault(frame, error)}") from error
    raise SchemaError(
        f"expected a Polars or pandas frame, got {type(frame).__name__}. An Arrow table or a dict of columns "
        "is taken too"
    )


def _fault(frame: Any, error: Exception) -> str:  # noqa: ANN401 - any kind of frame
    """What is wrong with the frame and what to do, by the names of its columns."""
    names = [str(name) for name in (frame.columns if is_pandas(frame) else frame)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"two columns have the name {twice[0]}. What to do: rename or drop one"
    for name in names if is_pandas(frame) or isinstance(frame, Mapping) else ():
        values = frame[name]
        if isinstance(values, (list, tuple)) or (is_series(values) and str(values.dtype) == "object"):
            kinds = sorted({type(one).__name__ for one in values if not _is_missing(one)})
            if len(kinds) > 1:
                return (
                    f"the column {name} mixes {' and '.join(kinds)}. What to do: give it one type; for ids "
                    f"that is frame[{name!r}].map(str) in pandas, missing ones left out"
                )
    return f"{error}. What to do: give each column one type, and all the same number of rows"


def _of_pandas(frame: "pd.DataFrame") -> pl.DataFrame:
    """Times with a zone go over as UTC: the way between the libraries drops the zone."""
    zoned = [str(name) for name, kind in frame.dtypes.items() if getattr(kind, "tz", None) is not None]
    plain = frame.assign(**{name: frame[name].dt.tz_convert(None) for name in zoned})
    for name, kind in frame.dtypes.items():
        if str(kind) == "object":
            plain[name] = _told_as_text(plain[name])
    table = pl.from_pandas(plain)
    return table.with_columns(pl.col(name).dt.replace_time_zone("UTC") for name in zoned)


def _told_as_text(values: Any) -> Any:  # noqa: ANN401 - a column of whatever the caller has
    """A column of UUIDs as text, and one of whole numbers that need more than 64 bits."""
    if isinstance(values, (str, bytes)) or not (isinstance(values, (list, tuple)) or is_series(values)):
        return values
    kinds = {type(value).__name__ for value in values if not _is_missing(value)}
    if kinds == {"UUID"} or (kinds == {"int"} and any(abs(v) >= 1 << 63 for v in values if type(v) is int)):
        return pl.Series([None if type(v).__name__ not in kinds else str(v) for v in values]).to_list()
    return values


def _is_missing(value: Any) -> bool:  # noqa: ANN401 - a value of whatever the caller has
    """Whether a value is None, or like NaN not itself; an array, such as a vector, is a value."""
    return value is None or (not hasattr(value, "__len__") and value != value)


def is_series(data: object) -> bool:
    """Whether the object is a pandas column."""
    return type(data).__module__.partition(".")[0] == "pandas" and type(data).__name__ == "Series"


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


def require_times(frame: pl.LazyFrame) -> None:
    """Stop where times are no moments in UTC.

    Raises:
        SchemaError: they are numbers, text, or of no zone or another one.
    """
    found = frame.collect_schema()[TIME]
    if not isinstance(found, pl.Datetime) or found.time_zone != "UTC":
        raise SchemaError(
            f"expected time as moments in UTC; got {found}. What to do: pass the frame through read_clicks"
        )


def key_columns(frame: pl.LazyFrame) -> list[str]:
    """The columns that say whose click it is: session_id, user_id or both."""
    found = frame.collect_schema().names()
    keys = [name for name in (SESSION, USER) if name in found]
    if not keys:
        raise SchemaError(f"expected a column {SESSION} or {USER}; found {', '.join(found)}")
    return keys


def event_columns(frame: pl.LazyFrame) -> list[str]:
    """The columns of events: session, item, time, and the order of equal times where there is one."""
    return [*EVENT, *(name for name in frame.collect_schema().names() if name == ORDER)]
