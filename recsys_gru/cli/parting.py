"""The sessions that commands work on, which fit, test or search: of a raw log, or of a prepared folder."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from recsys_gru.cli import preparing, printing
from recsys_gru.cli.options import Log
from recsys_gru.errors import ParameterError

if TYPE_CHECKING:
    from recsys_gru.clicks import Ledger
    from recsys_gru.preparation import Prepared as PreparedLog
    from recsys_gru.sessions import Sessions, Vocabulary


def folder_of(log: Log) -> "PreparedLog | None":
    """The prepared log in a folder that ``prepare`` wrote, None where LOG is something else.

    Raises:
        ParameterError: if it is something else and --verify is given.
        ClickLogError: if the folder is damaged; with --verify, if one bit is not as it was written.
    """
    from recsys_gru.preparation import read_prepared
    from recsys_gru.sessions import is_prepared

    if log.clicks is not None and is_prepared(log.clicks):
        return read_prepared(log.clicks, verify=log.verify)
    if log.verify:
        raise ParameterError(
            f"expected a folder that recsys-gru prepare wrote, got {log.clicks or 'none'}: only such a one "
            "keeps the digests that --verify needs; leave it out, or prepare the log"
        )
    return None


def _uncut(log: Log, test_days: float | None) -> "PreparedLog | None":
    """The prepared log, shown, if it is one; it keeps its cut."""
    prepared = folder_of(log)
    if prepared is not None and test_days is not None:
        raise ParameterError(f"{log.clicks} is cut already: leave --test-days out, or prepare it anew")
    if prepared is not None:
        printing.show_prepared_log(prepared, log.verify)
    return prepared


def training(log: Log, test_days: float | None, ledger: "Ledger") -> "Sessions":
    """The sessions of a log to learn from, filtered: all, or those before its last days; of a prepared folder
    its training part."""
    from recsys_gru.sessions import Sessions

    if (prepared := _uncut(log, test_days)) is not None:
        return prepared.train
    checked = preparing.read(log, ledger)
    printing.show_checked(checked)
    events = preparing.events_of(log, checked)
    train = events if test_days is None else preparing.cut(events, test_days, ledger).train
    return Sessions.from_events(preparing.filtered(log, train, ledger))


def testing(log: Log, test_days: float | None, vocabulary: "Vocabulary") -> "Sessions":
    """The sessions of a log to test on: all, or the last days'; of a prepared folder its test part."""
    from recsys_gru.clicks import Ledger
    from recsys_gru.sessions import Sessions, as_sessions

    if (prepared := _uncut(log, test_days)) is not None:
        return as_sessions(prepared.test, vocabulary)
    checked = preparing.read(log, Ledger(), vocabulary)
    printing.show_checked(checked)
    events = preparing.events_of(log, checked)
    test = events if test_days is None else preparing.cut(events, test_days, Ledger()).test
    return Sessions.from_events(test, vocabulary)


def parts(log: Log, test_days: float | None, ledger: "Ledger") -> preparing.Prepared:
    """The log cut into training, validation and test sessions; a prepared folder keeps its cut."""
    return search_parts(log, test_days, ledger)[0]


def search_parts(
    log: Log, test_days: float | None, ledger: "Ledger"
) -> "tuple[preparing.Prepared, Callable[[], tuple[Sessions, Sessions]]]":
    """The same, and what gives the sessions for the model that is found: all to learn from, those of the
    validation part too, and the test sessions in their vocabulary."""
    from recsys_gru.sessions import Sessions
    from recsys_gru.sessions.split import TEST_PART

    if (prepared := _uncut(log, test_days)) is None:
        checked = preparing.read(log, ledger)
        printing.show_checked(checked)
        events = preparing.events_of(log, checked)
        found = preparing.split(log, events, test_days, ledger)
        return found, partial(preparing.without_validation, log, events, found.cut)
    ledger.entries.extend(prepared.ledger)
    ledger.record(TEST_PART, *prepared.test_part())
    inner, validation = preparing.validation_part(prepared.train.events(), ledger)
    train = Sessions.from_events(inner)
    held_out, test = (
        Sessions.from_events(part, train.vocabulary) for part in (validation, prepared.test.events())
    )
    found = preparing.Prepared(train, held_out, test, prepared.cut, ledger)
    return found, lambda: (prepared.train, prepared.test)
