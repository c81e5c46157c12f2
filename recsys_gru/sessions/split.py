"""Splits in time: what is learned from lies before the cut, what is tested begins after it."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import polars as pl

from recsys_gru.arguments import moment, real_number, span, whole_number
from recsys_gru.clicks.frames import (
    EVENT,
    SESSION,
    START,
    TIME,
    Frame,
    lazy,
    require,
    require_times,
    same_kind,
)
from recsys_gru.clicks.ledger import Ledger, Size, notes_in
from recsys_gru.clicks.order import sorted_rows
from recsys_gru.clicks.sessionize import reused_ids
from recsys_gru.errors import ClickLogError, ParameterError

log = logging.getLogger("recsys_gru")

Part: TypeAlias = "pl.LazyFrame | pl.DataFrame"
TEST_SHARE = 0.05
_MOST_FOLDS = 10_000
CUT_OFF, TEST_PART = "after the cut, session began before", "test part"


@dataclass(frozen=True)
class Split:
    """A log cut at one moment; unpacks as ``train, test``.

    Attributes:
        train: events before the cut.
        test: events of the sessions that start at or after the cut.
        cut: the moment, UTC.
        straddling_sessions: sessions with events on both sides; they end at the cut in ``train``.
        straddling_events: their events at or after the cut, in neither part.
    """

    train: Part
    test: Part
    cut: datetime
    straddling_sessions: int
    straddling_events: int

    def __iter__(self) -> Iterator[Part]:
        return iter((self.train, self.test))


def split_by_time(events: Frame, test: timedelta, ledger: Ledger | None = None) -> Split:
    """Cut a log ``test`` before its last event: earlier events train, sessions that start at or after the
    cut test.

    Both parts are of the kind of frame that was given (lazy or not) and sorted by session and time.
    Nothing is counted before the cut, so nothing of the test part leaks into training.

    Raises:
        SchemaError: a column is missing.
        ParameterError: ``test`` is no span of time, or not positive.
        ClickLogError: the log is empty.

    >>> log = pl.DataFrame({"session_id": [1, 1, 2], "item_id": [7, 8, 9], "time": [0, 86400, 90000]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> split = split_by_time(log, test=timedelta(hours=2))
    >>> train, test = split
    >>> train["item_id"].to_list(), test["item_id"].to_list(), split.straddling_events
    ([7], [9], 1)
    """
    test, ledger = span("test", test), None if ledger is None else notes_in(ledger)
    table = event_table(events)
    return _cut(table, _before(_last(table), test), events, ledger)


def split_at(events: Frame, cut: datetime, ledger: Ledger | None = None) -> Split:
    """Cut a log at a moment (without a zone: UTC): earlier events train, sessions that start at or after it
    test.

    Raises:
        SchemaError: a column is missing.
        ParameterError: ``cut`` is no moment.
        ClickLogError: the log is empty.

    >>> log = pl.DataFrame({"session_id": [1, 2], "item_id": [7, 9], "time": [0, 90000]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> split_at(log, datetime(1970, 1, 2)).test["item_id"].to_list()
    [9]
    """
    when, ledger = moment("cut", cut), None if ledger is None else notes_in(ledger)
    return _cut(event_table(events), when, events, ledger)


@dataclass(frozen=True)
class ThreeParts:
    """A log cut at two moments; unpacks as ``train, validation, test``.

    Attributes:
        train: events before the validation part.
        validation: sessions that start in the validation part, cut where the test part begins.
        test: sessions that start in the test part.
        inner: the cut between the first two, made as if the test part did not exist yet.
        outer: the cut before the test part; its ``train`` is what the final model learns from.
    """

    train: Part
    validation: Part
    test: Part
    inner: Split
    outer: Split

    def __iter__(self) -> Iterator[Part]:
        return iter((self.train, self.validation, self.test))


def split_three(events: Frame, test: timedelta, validation: timedelta) -> ThreeParts:
    """Cut off the test part, then the validation part from what is left, by the same rule.

    Raises:
        SchemaError: a column is missing.
        ParameterError: a span is not positive.
        ClickLogError: the log is empty, or nothing is left before the test part.

    >>> log = pl.DataFrame({"session_id": [1, 2, 3], "item_id": [7, 8, 9], "time": [0, 100, 200]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> span = timedelta(seconds=50)
    >>> [part["item_id"].to_list() for part in split_three(log, test=span, validation=span)]
    [[7], [8], [9]]
    """
    validation = span("validation", validation)
    outer = split_by_time(events, test)
    inner = split_by_time(outer.train, validation)
    return ThreeParts(inner.train, inner.test, outer.test, inner, outer)


def split_rolling(
    events: Frame, test: timedelta, folds: int, train: timedelta | None = None
) -> Iterator[Split]:
    """Walk forward in time: ``folds`` cuts, each ``test`` later than the one before, the last ``test``
    before the end.

    The test part of a fold holds the sessions that start within ``test`` after its cut, whole. With
    ``train``, the training part begins that long before the cut.

    Raises:
        SchemaError: a column is missing.
        ParameterError: a span is none, or not positive, or the number of folds is not within 1 and 10,000.
        ClickLogError: the log is empty.

    >>> log = pl.DataFrame({"session_id": [1, 2, 3], "item_id": [7, 8, 9], "time": [0, 100, 200]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> folds = split_rolling(log, test=timedelta(seconds=90), folds=2)
    >>> [fold.test["item_id"].to_list() for fold in folds]
    [[8], [9]]
    """
    test, folds = span("test", test), whole_number("folds", folds, 1, _MOST_FOLDS)
    train = None if train is None else span("train", train)
    return _folds(event_table(events), events, test, folds, train)


def _folds(
    table: pl.DataFrame, events: Frame, test: timedelta, folds: int, train: timedelta | None
) -> Iterator[Split]:
    """The folds one by one; what was asked for is checked before the first is."""
    started, last = pl.col(TIME).min().over(SESSION), _last(table)
    for fold in range(folds, 0, -1):
        cut = _before(last, test * fold)
        upper = started < cut + test if fold > 1 else pl.lit(value=True)
        lower = pl.col(TIME) >= _before(cut, train) if train is not None else pl.lit(value=True)
        yield _cut(table.filter(upper).filter(lower), cut, events)


def _last(table: pl.DataFrame) -> datetime:
    """The time of the last event, UTC."""
    last: datetime | None = table.select(pl.col(TIME).max()).item()
    if last is None:
        raise ClickLogError(
            "expected events with a time; none has one. What to do: pass the log through check_clicks"
        )
    return last


def _before(when: datetime, long: timedelta) -> datetime:
    """So long before, or the first moment that there is."""
    try:
        return when - long
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def event_table(events: Frame) -> pl.DataFrame:
    """The events in order of session and time, in memory.

    Raises:
        ClickLogError: there are none.
    """
    frame = lazy(events)
    require(frame, *EVENT)
    require_times(frame)
    table = sorted_rows(frame.collect(), SESSION)
    if table.is_empty():
        raise ClickLogError(
            "expected a log with events; it is empty. What to do: look at what check_clicks rejected"
        )
    return table


def _cut(table: pl.DataFrame, cut: datetime, given: Frame, ledger: Ledger | None = None) -> Split:
    """Cut an event table at a moment."""
    begins = (pl.col(SESSION) != pl.col(SESSION).shift()).fill_null(
        value=True
    )  # in order: the first is the earliest
    started = table.with_columns(pl.when(begins).then(pl.col(TIME)).forward_fill().alias(START))
    before = pl.col(TIME) < cut
    later = pl.col(START) >= cut
    train, tested = (started.filter(part).drop(START) for part in (before, later))
    lost = started.filter(~before & ~later)
    if ledger is not None:
        both, left = Size.of(pl.concat([train, tested])), Size.of(train)
        ledger.record(CUT_OFF, Size.of(table), both)
        ledger.record(TEST_PART, both, left)
    if (reused := reused_ids(table)) is not None:
        log.warning("%s; %d sessions lie on both sides of the cut", reused, lost[SESSION].n_unique())
    return Split(
        same_kind(train, given), same_kind(tested, given), cut, lost[SESSION].n_unique(), lost.height
    )


def tail_cut(events: Frame, share: float = TEST_SHARE) -> datetime:
    """The midnight (UTC) that begins the shortest tail of whole days in which at least ``share`` of the
    sessions start.

    Where that tail would be the whole log, the cut is the minute from which the last ``share`` of the
    sessions begins.

    Raises:
        SchemaError: a column is missing.
        ClickLogError: the log is empty.
        ParameterError: the share is not between 0 and 1.

    >>> log = pl.DataFrame({"session_id": [1, 2, 3], "item_id": [7, 8, 9], "time": [0, 90000, 190000]})
    >>> tail_cut(log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))).isoformat()
    '1970-01-03T00:00:00+00:00'
    """
    if not 0 < real_number("share", share) < 1:
        raise ParameterError(f"expected share between 0 and 1, got {share}: .05 is usual")
    first = event_table(events).group_by(SESSION).agg(pl.col(TIME).min().dt.truncate("1m").alias(START))
    return tail_of_minutes(first.group_by(START).agg(pl.len().alias("sessions")), share)


def tail_of_minutes(minutes: pl.DataFrame, share: float) -> datetime:
    """The cut of ``tail_cut`` from the number of ``sessions`` per minute of their ``start``."""
    table = minutes.group_by(START).agg(pl.col("sessions").sum()).sort(START, descending=True)
    enough = table.filter(pl.col("sessions").cum_sum() >= math.ceil(share * int(table["sessions"].sum())))
    needed: datetime = enough[START][0]
    midnight = needed.replace(hour=0, minute=0)
    return midnight if table[START][-1] < midnight else needed
