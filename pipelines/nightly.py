"""The whole night: the recipe, and what happens when it fails."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from .plumbing.alert import alert
from .plumbing.errors import DONE, FAILED, REFUSED, LockedError, NotYetError, PipelineError
from .plumbing.events import recording, say
from .plumbing.lock import locked
from .plumbing.settings import Settings
from .plumbing.workshop import Done, day_folder, stage_of, write_whole
from .stages import STAGES
from .stages.champion import registry_of
from .stages.record import record_failure
from .stages.train import challenger_of

FAILURE = "failed.json"
NIGHT, LAST_STAGE = "nightly", list(STAGES)[-1]
LONGEST = 1000
"""Characters of an error that are told; the log has the whole of it."""


def nightly(day: date, settings: Settings) -> Done:
    """Run all stages: what is done is skipped, what fails ends the night; returns the decision."""
    check(settings)
    done = {name: stage(day, settings) for name, stage in STAGES.items()}
    return done["promote"]


def check(settings: Settings) -> None:
    """Notice what would fail after an hour of training: impossible model settings, no tracking store."""
    challenger_of(settings)
    registry_of(settings)


def run_night(day: date, settings: Settings) -> int:
    """Run the recipe under the lock, and answer for it: exit code, log, failure note, alert."""
    return guarded(day, settings, NIGHT, lambda: nightly(day, settings))


def guarded(day: date, settings: Settings, purpose: str, work: Callable[[], Done]) -> int:
    """Do a day's work under the lock; whatever it meets becomes an exit code and a line that says why."""
    try:
        with watched(day, settings, purpose):
            return _answered(day, settings, work)
    except LockedError as error:
        say(str(error), level=logging.ERROR)
        return error.exit_code
    except Exception as error:  # an on-call engineer needs a code and a reason, whatever it was
        return code_of(error)


@contextmanager
def watched(day: date, settings: Settings, purpose: str, *, wake: bool = True) -> Iterator[None]:
    """Hold the lock, keep the log, and note with the day what fails; the note goes when that has been done.

    Args:
        purpose: a stage, or the whole night.
        wake: whether a failure is told to somebody.

    Raises:
        LockedError: if another process holds the lock.
    """
    log_file = settings.work.folder / "log" / f"{day}.jsonl"
    with locked(settings.work.folder, f"{purpose} of {day}"), recording(log_file):
        try:
            yield
        except Exception as error:
            stage = stage_of(error, "start" if purpose == NIGHT else purpose)
            _failed(day, settings, error, stage, wake=wake)
            raise
        if not settings.dry_run:
            _forget_failure(day, settings, purpose)


def code_of(error: Exception) -> int:
    """The exit code of a failure."""
    return error.exit_code if isinstance(error, PipelineError) else FAILED


def _answered(day: date, settings: Settings, work: Callable[[], Done]) -> int:
    try:
        done = work()
    except NotYetError as plan:
        say(f"dry run: {plan}; so would the stages after it")
        return DONE
    if done.stage != "promote" or done.facts["promoted"]:
        return DONE
    if settings.alerts.on_refusal:
        alert(settings, f"night of {day}: {done.facts['reason']}")
    return REFUSED


def _forget_failure(day: date, settings: Settings, purpose: str) -> None:
    """The whole night mends whatever failed; a stage alone mends only itself."""
    path = day_folder(settings, day) / FAILURE
    if path.exists():
        failed = json.loads(path.read_text(encoding="utf-8"))["stage"]
        if purpose in (NIGHT, LAST_STAGE, failed):
            path.unlink()


def _failed(day: date, settings: Settings, error: Exception, stage: str, *, wake: bool) -> None:
    """Note, log and report a failure; none of these may hide it."""
    code, said = code_of(error), f"{type(error).__name__}: {error}"[:LONGEST]
    say("failed", level=logging.ERROR, stage=stage, day=day, why=said, exit_code=code,
        traceback="".join(traceback.format_exception(error)))  # fmt: skip
    note = {"day": day.isoformat(), "stage": stage, "why": said, "exit_code": code}
    note["time"] = datetime.now(UTC).isoformat(timespec="seconds")
    note["kinds"] = [kind.__name__ for kind in type(error).__mro__]
    message = f"night of {day} failed in {stage} (exit {code}): {said}"
    telling: list[Callable[[], None]] = [
        lambda: write_whole(day_folder(settings, day) / FAILURE, json.dumps(note, indent=1)),
        lambda: record_failure(day, settings, error),
        *([lambda: alert(settings, message)] if wake else []),
    ]
    for tell in () if settings.dry_run else telling:
        try:
            tell()
        except Exception as other:  # such as a full disk, or the tracking store that failed us before
            say("failure not noted", level=logging.ERROR, why=str(other))
