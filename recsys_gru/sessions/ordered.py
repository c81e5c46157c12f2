"""Events in their final order, and what is known about the moment of each."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import EVENT, ITEM, SESSION, TIME, UTC_TIME, Frame, event_columns, lazy, require
from recsys_gru.clicks.moment import DERIVED, GAP, context_names, context_of_frame, label_text
from recsys_gru.clicks.order import run_starts, sorted_rows
from recsys_gru.errors import ClickLogError, SchemaError
from recsys_gru.sessions.vocabulary import as_ids

GAPS, HOURS = 14, 24
"""Labels of a gap: below 2 seconds, then each twice as long as the one before, the last from 2.3 hours on."""
MICROSECONDS_AN_HOUR = 3600 * 10**6


def ordered_events(events: Frame, context: tuple[str, ...] | list[str] = ()) -> pl.DataFrame:
    """session_id, item_id and time, whole sessions oldest first, and the columns of context as labels: text,
    or the whole numbers of those that are made from the time.

    Raises:
        SchemaError: a column is missing or of the wrong type.
        ClickLogError: a value is null.
    """
    log, names = lazy(events), context_names(context)
    require(log, *EVENT)
    kinds = log.collect_schema()
    if kinds[TIME] != UTC_TIME:
        raise SchemaError(
            f"expected time as {UTC_TIME}; got {kinds[TIME]}. What to do: pass the frame through read_clicks"
        )
    there = context_of_frame(log, names)
    labels = [label_text(name, kinds[name]) for name in there]
    table = log.select(*event_columns(log), *labels).collect()
    nulls = {name: table[name].null_count() for name in EVENT if table[name].null_count()}
    if nulls:
        raise ClickLogError(
            f"expected no null values; found {nulls}. What to do: pass the log through check_clicks"
        )
    return with_derived(oldest_first(table, there), names)


def oldest_first(table: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Events with some more columns, in order."""
    table = _whole_sessions(sorted_rows(table, SESSION).select(*EVENT, *columns))
    return table.with_columns(as_ids(table[SESSION]), as_ids(table[ITEM]))


def with_derived(table: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """Events in order with the columns of context in this order, those that are missing made from the
    times."""
    missing = [name for name in names if name not in table.columns]
    times = table[TIME].dt.epoch("us").to_numpy() if missing else np.empty(0, np.int64)
    made = [_gaps(table, times) if name == GAP else hours(times).alias(name) for name in missing]
    return table.with_columns(made).select(*EVENT, *names) if names else table


def gap_label(seconds: float) -> int:
    """The label of so many seconds since the click before."""
    return int(np.clip(np.floor(np.log2(max(seconds, 1.0))), 0, GAPS - 1))


def without_times(moment: pl.DataFrame | None) -> pl.DataFrame | None:
    """The same of events whose times say nothing."""
    if moment is None:
        return None
    derived = [name for name in DERIVED if name in moment.columns and moment.schema[name] == pl.Int64]
    return moment.with_columns(pl.lit(None, pl.Int64).alias(name) for name in derived)


def hours(times: NDArray[np.int64]) -> pl.Series:
    """The hour of the day, UTC, of microseconds since 1970."""
    return pl.Series(times // MICROSECONDS_AN_HOUR % HOURS, dtype=pl.Int64)


def _gaps(table: pl.DataFrame, times: NDArray[np.int64]) -> pl.Series:
    """The label of the time since the click before, null at the first of a session."""
    seconds = np.diff(times, prepend=times[:1]) / 1e6
    labels = np.clip(np.floor(np.log2(np.maximum(seconds, 1.0))), 0, GAPS - 1).astype(np.int64)
    first = np.zeros(len(times), np.bool_)
    first[run_starts(table[SESSION])] = True
    return pl.Series(GAP, labels).zip_with(pl.Series(~first), pl.Series([None], dtype=pl.Int64))


def _whole_sessions(table: pl.DataFrame) -> pl.DataFrame:
    """Whole sessions by their first time; those that begin together stay in order of their ids."""
    starts = run_starts(table[SESSION])
    order = np.argsort(table[TIME].dt.epoch("us").to_numpy()[starts], kind="stable")
    lengths = np.diff(starts, append=table.height)[order]
    shift = starts[order] - (np.cumsum(lengths) - lengths)
    return table[np.repeat(shift, lengths) + np.arange(table.height)]
