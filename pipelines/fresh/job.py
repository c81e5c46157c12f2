"""The job between the nights: catch up with all finished periods, in order, under the night's lock."""

import json
import logging
import shutil
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_gru import engines, errors

from ..gate import Decision
from ..plumbing.alert import alert
from ..plumbing.errors import (
    DONE,
    FAILED,
    REFUSED,
    STOPS,
    BadInputError,
    LockedError,
    PipelineError,
)
from ..plumbing.events import recording, say
from ..plumbing.lock import locked
from ..plumbing.periods import Period, finished, length_of
from ..plumbing.scratch import own_scratch
from ..plumbing.settings import Settings
from ..plumbing.versions import MODEL, current, draft, fresh_folder, prune, publish
from ..plumbing.workshop import Facts, write_whole
from . import alias, tell
from .guard import NOT_FINITE, is_finite, judge
from .learn import figures, learn
from .measure import measure
from .stream import Memory, Stream, begin

if TYPE_CHECKING:
    import polars as pl

LONGEST = 1000
"""Characters of an error that are told; the log has the whole of it."""


def run_fresh(settings: Settings, at: datetime | None = None, memory: Memory | None = None) -> int:
    """Learn all finished periods, and answer for it: exit code, log, note, alert.

    Args:
        at: the moment up to which periods count as finished; now if not given.
        memory: what a process that stays keeps from one run to the next.
    """
    began, memory = time.monotonic(), memory or Memory()
    folder, now = settings.work.folder, datetime.now(UTC)
    log_file = folder / "log" / f"{(at or now).astimezone(UTC).date()}.jsonl"
    try:
        with locked(folder, "fresh"), recording(log_file), own_scratch(folder):
            try:
                code = _answered(settings, at or now, now, memory)
            except STOPS:
                raise
            except BaseException as error:  # such as Polars' PanicException, which is no Exception
                code = _failed(settings, error)
            measure(settings, code, time.monotonic() - began)
            return code
    except LockedError as error:
        with recording(None):
            say(str(error), level=logging.ERROR)
        return error.exit_code


def catch_up(settings: Settings, at: datetime, now: datetime, memory: Memory) -> Decision | None:
    """Learn, judge and publish period after period; returns the guard's last answer, None without a period.

    Raises:
        BadInputError: if a period's clicks cannot be used, or a clock is wrong.
    """
    if at > now:
        raise BadInputError(
            f"expected --at at or before now, {now:%Y-%m-%d %H:%M} UTC, got {at:%Y-%m-%d %H:%M}"
        )
    stream = begin(settings, memory)
    if now < stream.until:
        raise BadInputError(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, but clicks until {stream.until:%Y-%m-%d %H:%M} have "
            "been learned: set the clock right"
        )
    periods = list(finished(stream.until, at, length_of(settings.fresh.every)))
    if settings.dry_run:
        say("dry run: these periods would be learned", periods=", ".join(period.name for period in periods))
        return None
    answer = None
    for period in periods:
        if memory.ending:
            say("ends before a period, as it was told to", period=period.name)
            break
        answer = _step(stream, period, _is_due(stream, period, periods[-1]), settings) or answer
    if answer is None or answer.promoted:
        memory.stream = stream
    return answer


def _is_due(stream: Stream, period: Period, last: Period) -> bool:
    """A new champion is published once it has caught up with the version that serves, which knows more."""
    return stream.good is None or period == last or period.end >= stream.good.until


def _step(stream: Stream, period: Period, due: bool, settings: Settings) -> Decision | None:
    """Learn a period; if it is due, judge and publish."""
    direct = stream.goes_on
    events, asked = learn(stream, period, settings)
    row = stream.pending[-1]
    say("period learned", period=period.name, base=stream.base, late=row["late"], clicks=row["learned"],
        recall=row["recall"], nightly=row["nightly_recall"], seconds=row["seconds"])  # fmt: skip
    if not due:
        return None
    if not is_finite(stream.model):
        return _refused(period, NOT_FINITE)
    before = row if direct else _before(stream, period, asked, settings)
    older = None if stream.good is None else stream.good.model

    def fill(folder: Path) -> None:
        stream.model.save(folder / MODEL, base=older)
        if settings.fresh.lists:
            tell.write_lists(stream.model, period, events, settings, folder)

    # what is judged is written meanwhile: most are published
    judging = partial(judge, stream, period, asked, before, settings)
    decision, drafted = engines.both(judging, partial(draft, settings, fill))
    if not decision.promoted:
        shutil.rmtree(drafted)
        return _refused(period, decision)
    rows = [*stream.rows, *stream.pending]
    oldest = (period.start - timedelta(days=settings.work.keep_days)).isoformat()
    kept = [row for row in rows if row["start"] >= oldest]
    stream.good = publish(settings, stream.base, period.end, kept, drafted)
    stream.rows, stream.pending = stream.good.ledger(), []
    say("published", period=period.name, version=stream.good.number, base=stream.base)
    return decision


def _refused(period: Period, decision: Decision) -> Decision:
    say("refused, the version before stays", level=logging.WARNING, period=period.name, why=decision.reason)
    return decision


def _before(stream: Stream, period: Period, events: "pl.DataFrame", settings: Settings) -> Facts | None:
    """How the version that serves does on a period, where it is not the one that has just learned."""
    from recsys_gru import load

    if stream.good is None:
        return None
    return figures(load(stream.good.model), events, period, settings)


def _answered(settings: Settings, at: datetime, now: datetime, memory: Memory) -> int:
    """The exit code of a run that came to an end."""
    answer = catch_up(settings, at, now, memory)
    if settings.dry_run:
        return DONE
    home = fresh_folder(settings)
    (home / tell.FAILURE).unlink(missing_ok=True)
    _tidy(settings)
    tell.tell_curves(settings)
    stream = memory.stream
    alias.point(settings, stream.model if stream is not None and stream.goes_on else None)
    if answer is None:
        say("no period has ended since the last run")
        return DONE
    if answer.promoted:
        (home / tell.REFUSED).unlink(missing_ok=True)
        return DONE
    _note(settings, tell.REFUSED, answer.reason, REFUSED)
    if settings.alerts.on_refusal:
        alert(settings, f"fresh: {answer.reason}")
    return REFUSED


def _failed(settings: Settings, error: BaseException) -> int:
    """Note, log and report a failure; none of these may hide it."""
    code = error.exit_code if isinstance(error, PipelineError) else FAILED
    said = errors.without_secrets(f"{type(error).__name__}: {error}")[:LONGEST]
    say("failed", level=logging.ERROR, stage="fresh", why=said, exit_code=code,
        traceback="".join(traceback.format_exception(error)))  # fmt: skip
    telling: list[Callable[[], None]] = [
        lambda: _note(settings, tell.FAILURE, said, code),
        lambda: alert(settings, f"fresh failed (exit {code}): {said}"),
    ]
    for one in () if settings.dry_run else telling:
        try:
            one()
        except STOPS:
            raise
        except BaseException as other:  # such as a full disk
            say("failure not noted", level=logging.ERROR, why=str(other))
    return code


def _note(settings: Settings, name: str, why: str, code: int) -> None:
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    write_whole(fresh_folder(settings) / name, json.dumps({"why": why, "exit_code": code, "time": moment}))


def _tidy(settings: Settings) -> None:
    """Remove versions that are no longer needed, and old copies of what was taken in."""
    prune(settings)
    serving = current(settings)
    oldest = None if serving is None else (serving.until - timedelta(days=settings.work.keep_days)).date()
    for copy in (fresh_folder(settings) / "taken").glob("*"):
        if oldest is not None and copy.name[:10] < oldest.isoformat():
            copy.unlink()
