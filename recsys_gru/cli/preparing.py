"""From a click log to the parts that are fitted and tested, with every number on the way."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_gru.cli.options import Log
from recsys_gru.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru.clicks import CheckedClicks, Ledger
    from recsys_gru.facts import CheckedItems
    from recsys_gru.files import Place
    from recsys_gru.sessions import Sessions, Split, Vocabulary

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

    def naming(self, items: "CheckedItems | None") -> "Prepared":
        """The same, with what people call the items."""
        if items is None:
            return self
        vocabulary = items.naming(self.train.vocabulary)
        parts = {name: getattr(self, name) for name in ("train", "validation", "test")}
        return replace(self, **{name: replace(part, vocabulary=vocabulary) for name, part in parts.items()})


def read(log: Log, ledger: "Ledger", like: "Vocabulary | None" = None) -> "CheckedClicks":
    """Read and check the log; a made-up one where no path is given. Item ids are of the type of ``like``."""
    from recsys_gru.clicks import check_clicks

    return check_clicks(raw(log, like), ledger)


def raw(log: Log, like: "Vocabulary | None" = None) -> "pl.LazyFrame":
    """The log as it is read, nothing checked yet; a made-up one where no path is given."""
    from recsys_gru.clicks import generate_clicks, read_clicks

    if log.clicks is None:
        return generate_clicks().lazy()
    options = log.reading()
    if log.ids is None and like is not None and not like.ids.dtype.is_integer():
        options["ids"] = {"item_id": "text"}
    return read_clicks(log.clicks, **options)


def events_of(log: Log, checked: "CheckedClicks") -> "pl.DataFrame":
    """The events: as they are, or the users' clicks cut at silences."""
    from recsys_gru.clicks import sessionize

    if log.user is None:
        return checked.clicks.collect()
    return sessionize(checked.clicks, user="user_id", gap=timedelta(minutes=log.gap)).collect()


def split(log: Log, events: "pl.DataFrame", test_days: float | None, ledger: "Ledger") -> Prepared:
    """Cut off the test part, then the last sessions before it for validation; filter what is left."""
    from recsys_gru.sessions import Sessions

    whole = cut(events, test_days, ledger)
    inner, validation = validation_part(whole.train.lazy().collect(), ledger)
    train = Sessions.from_events(filtered(log, inner, ledger))
    held_out, test = (Sessions.from_events(part, train.vocabulary) for part in (validation, whole.test))
    return Prepared(train, held_out, test, whole.cut, ledger)


def validation_part(before: "pl.DataFrame", ledger: "Ledger") -> "tuple[pl.DataFrame, pl.DataFrame]":
    """Cut off the last sessions before the test part."""
    from recsys_gru.clicks import Ledger
    from recsys_gru.sessions import split_at
    from recsys_gru.sessions.split import TEST_PART

    inner_ledger = Ledger()
    inner = split_at(before, last_sessions(before), inner_ledger)
    for entry in inner_ledger:
        rule = "validation part" if entry.rule == TEST_PART else f"validation: {entry.rule}"
        ledger.record(rule, entry.before, entry.after)
    return inner.train.lazy().collect(), inner.test.lazy().collect()


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


def place_for(out: Path) -> "Place":
    """A folder to write into, made; one of an object store is made by writing.

    Raises:
        InputError: if it cannot be made.
    """
    from recsys_gru.files import absolute, place_at

    place = absolute(place_at(out))
    if isinstance(place, Path):
        make_folder(out)
    return place


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
