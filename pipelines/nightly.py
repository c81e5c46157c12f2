"""The whole night: the recipe, and what happens when it fails."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from recsys_gru import errors

from .metrics import write_metrics
from .plumbing.alert import alert
from .plumbing.errors import DONE, FAILED, REFUSED, STOPS, LockedError, NotYetError, PipelineError
from .plumbing.events import recording, say
from .plumbing.finished import clicks_decided_on, decision, forget_rivals, open_again
from .plumbing.lock import locked
from .plumbing.scratch import own_scratch
from .plumbing.settings import Settings
from .plumbing.workshop import Done, day_folder, stage_of, write_whole
from .stages import STAGES
from .stages.champion import forget_champion, registry_of, require_known
from .stages.record import record_failure
from .stages.sessions import clicks_of
from .stages.train import require_possible

FAILURE = "failed.json"
NIGHT, LAST_STAGE = "nightly", list(STAGES)[-1]
DECIDING = (NIGHT, "promote")
LONGEST = 1000
"""Characters of an error that are told; the log has the whole of it."""
TOLD = "told by the nightly job"
"""On an error that has been noted, logged and reported."""


def nightly(day: date, settings: Settings) -> Done:
    """Run all stages: what is done is skipped, what fails ends the night; returns the decision."""
    check(settings)
    late = clicks_decided_on(day, settings)
    done = {name: stage(day, settings) for name, stage in STAGES.items()}
    if late is not None and late != clicks_of(day, settings):
        say(
            "late clicks have come since the decision, which stands; nightly --again learns from them",
            day=day,
        )
    return done["promote"]


def check(settings: Settings) -> None:
    """Notice what would fail after an hour of training: impossible models, no tracking store, a lost one."""
    require_possible(settings)
    registry_of(settings)
    require_known(settings)


def run_night(day: date, settings: Settings, *, again: bool = False, anew: bool = False) -> int:
    """Run the recipe under the lock, and answer for it: exit code, log, failure note, alert.

    Args:
        again: also if the gate has decided on the day.
        anew: the registry was lost, begin with nothing.
    """

    def work() -> Done:
        require_possible(settings)
        if anew and not settings.dry_run:
            forget_champion(settings)
            forget_rivals(day, settings)
        if (again or anew) and not settings.dry_run:
            open_again(day, settings)
        return nightly(day, settings)

    return guarded(day, settings, NIGHT, work)


def guarded(day: date, settings: Settings, purpose: str, work: Callable[[], Done]) -> int:
    """Do a day's work under the lock; whatever it meets becomes an exit code and a line that says why.

    Only what ends a process on purpose, such as Ctrl-C, stays what it is.
    """
    try:
        with watched(day, settings, purpose):
            return _answered(day, settings, work)
    except STOPS:
        raise
    except LockedError as error:
        say(str(error), level=logging.ERROR)
        return error.exit_code
    except BaseException as error:  # an on-call engineer needs a code and a reason, whatever it was
        if TOLD not in getattr(error, "__notes__", ()):  # not even the lock or the log could be had
            with recording(None):
                _failed(day, settings, error, "start", wake=True)
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
    folder = settings.work.folder
    log_file = folder / "log" / f"{day}.jsonl"
    with locked(folder, f"{purpose} of {day}"), recording(log_file), own_scratch(folder):
        try:
            yield
        except STOPS:
            raise
        except BaseException as error:
            stage = stage_of(error, "start" if purpose == NIGHT else purpose)
            _failed(day, settings, error, stage, wake=wake)
            error.add_note(TOLD)
            _measure(day, settings, code_of(error))
            raise
        if not settings.dry_run:
            _forget_failure(day, settings, purpose)
            _measure(day, settings, REFUSED if purpose in DECIDING and _refused(day, settings) else DONE)


def code_of(error: BaseException) -> int:
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


def _refused(day: date, settings: Settings) -> bool:
    decided = decision(day, settings)
    return decided is not None and not decided["promoted"]


def _measure(day: date, settings: Settings, code: int) -> None:
    """The numbers for monitoring; that they cannot be written stops nothing."""
    try:
        if not settings.dry_run:
            write_metrics(day, settings, code)
    except Exception as error:
        say("metrics not written", level=logging.ERROR, why=str(error))


def _forget_failure(day: date, settings: Settings, purpose: str) -> None:
    """The whole night mends whatever failed; a stage alone mends only itself."""
    path = day_folder(settings, day) / FAILURE
    if path.exists():
        failed = json.loads(path.read_text(encoding="utf-8"))["stage"]
        if purpose in (NIGHT, LAST_STAGE, failed):
            path.unlink()


def _failed(day: date, settings: Settings, error: BaseException, stage: str, *, wake: bool) -> None:
    """Note, log and report a failure; none of these may hide it."""
    code = code_of(error)
    said = errors.without_secrets(f"{type(error).__name__}: {error}")[:LONGEST]
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
        except STOPS:
            raise
        except BaseException as other:  # such as a full disk, or the tracking store that failed us before
            say("failure not noted", level=logging.ERROR, why=str(other))
