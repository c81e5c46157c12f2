"""From a click log to the parts that are fitted and tested, with every number on the way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_gru.cli.options import Log
from recsys_gru.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru.clicks import CheckedClicks, Ledger
    from recsys_gru.sessions import Sessions, Split

VALIDATION_SHARE = 0.02


@dataclass(frozen=True)
class Prepared:
    """A log cut into training, validation and test sessions.

    Attributes:
        cut: where the test part begins.
        ledger: what every rule left.
    """

    train: "Sessions"
    validation: "Sessions"
    test: "Sessions"
    cut: datetime
    ledger: "Ledger"


def read(log: Log, ledger: "Ledger") -> "CheckedClicks":
    """Read and check the log; a made-up one where no path is given."""
    from recsys_gru.clicks import check_clicks

    return check_clicks(raw(log), ledger)


def raw(log: Log) -> "pl.LazyFrame":
    """The log as it is read, nothing checked yet; a made-up one where no path is given."""
    from recsys_gru.clicks import generate_clicks, read_clicks

    if log.clicks is None:
        return generate_clicks().lazy()
    return read_clicks(log.clicks, session=log.session, item=log.item, time=log.time, user=log.user)


def events_of(log: Log, checked: "CheckedClicks") -> "pl.DataFrame":
    """The events: as they are, or the users' clicks cut at silences."""
    from recsys_gru.clicks import sessionize

    if log.user is None:
        return checked.clicks.collect()
    return sessionize(checked.clicks, user="user_id", gap=timedelta(minutes=log.gap)).collect()


def split(log: Log, events: "pl.DataFrame", test_days: float | None, ledger: "Ledger") -> Prepared:
    """Cut off the test part, then the last sessions before it for validation; filter what is left."""
    from recsys_gru.clicks import Ledger
    from recsys_gru.sessions import Sessions, split_at

    parts = cut(events, test_days, ledger)
    before = parts.train.lazy().collect()
    inner_ledger = Ledger()
    inner = split_at(before, last_sessions(before), inner_ledger)
    for entry in inner_ledger:
        ledger.record(f"validation: {entry.rule}", entry.before, entry.after)
    train = Sessions.from_events(filtered(log, inner.train, ledger))
    validation, test = (Sessions.from_events(part, train.vocabulary) for part in (inner.test, parts.test))
    return Prepared(train, validation, test, parts.cut, ledger)


def without_validation(log: Log, events: "pl.DataFrame", moment: datetime) -> "tuple[Sessions, Sessions]":
    """All training sessions, those used for validation too, and the test sessions in their vocabulary."""
    from recsys_gru.clicks import Ledger
    from recsys_gru.sessions import Sessions, split_at

    parts = split_at(events, moment)
    train = Sessions.from_events(filtered(log, parts.train, Ledger()))
    return train, Sessions.from_events(parts.test, train.vocabulary)


def cut(events: "pl.DataFrame", test_days: float | None, ledger: "Ledger") -> "Split":
    """Cut off the last days, or the shortest tail of whole days with enough sessions."""
    from recsys_gru.sessions import split_at, split_by_time, tail_cut

    if test_days is None:
        return split_at(events, tail_cut(events), ledger)
    return split_by_time(events, timedelta(days=test_days), ledger)


def filtered(log: Log, train: "pl.DataFrame | pl.LazyFrame", ledger: "Ledger") -> "pl.DataFrame":
    """The training part without rare items and short sessions."""
    from recsys_gru.sessions import filter_sessions

    return filter_sessions(train, log.min_support, log.min_length, ledger).lazy().collect()


def make_folder(folder: Path) -> None:
    """Make a folder to write into.

    Raises:
        InputError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write the folder {folder}: {error}; give --out another") from error


def last_sessions(events: "pl.DataFrame", share: float = VALIDATION_SHARE) -> datetime:
    """When the last ``share`` of the sessions begins; at least one session."""
    import polars as pl

    starts = events.group_by("session_id").agg(pl.col("time").min())["time"].sort()
    first: datetime = starts[-max(1, round(share * len(starts)))]
    return first
