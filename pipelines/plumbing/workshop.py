"""What a stage is, and how it keeps its result: made aside, synced, renamed, marked; and never made twice."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, final

import recsys_gru

from .errors import MissingStageError, NotYetError
from .events import say
from .settings import Settings

MARK = "done.json"
Facts = dict[str, Any]
STAGE_NOTE = "stage: "
Inputs = Callable[[date, Settings], Sequence[object]]


@dataclass(frozen=True)
class Done:
    """A finished stage of a day.

    Attributes:
        folder: what it made.
        fingerprint: of its inputs, settings and code.
        facts: what it counted and measured.
        seconds: how long it took.
    """

    stage: str
    day: date
    folder: Path
    fingerprint: str
    facts: Facts
    seconds: float


After = Callable[[Settings, Done], None]


@final
@dataclass(frozen=True)
class Stage:
    """A step of the night: its result is made once for the same inputs, settings and code, and found again.

    Attributes:
        inputs: gives all that the result depends on.
        needs: the stages whose results it reads.
        after: follows each time, also when the result was there already, but not in a dry run.
        make: fills a fresh folder from the results of those it needs, and returns the facts.
    """

    name: str
    inputs: Inputs
    needs: tuple["Stage", ...]
    after: After | None
    make: Callable[..., Facts]

    @property
    def about(self) -> str:
        """What it does, in a line."""
        return (self.make.__doc__ or "").partition("\n")[0]

    def key(self, day: date, settings: Settings) -> str:
        """The fingerprint: a SHA-256 over name, day, inputs and code."""
        return fingerprint(self.name, day, *self.inputs(day, settings))

    def __call__(self, day: date, settings: Settings) -> Done:
        """Run it, unless its result is there already; whatever fails in it bears its name.

        Raises:
            MissingStageError: if a stage that it needs has not been done.
            NotYetError: in a dry run, if the result is not there.
        """
        try:
            before = [stage.made(day, settings) for stage in self.needs]
            key = self.key(day, settings)
            done = self._found(day, settings, key) or self._make(day, settings, key, before)
            if self.after is not None and not settings.dry_run:
                self.after(settings, done)
        except BaseException as error:  # such as Polars' PanicException, which is no Exception
            error.add_note(STAGE_NOTE + self.name)
            raise
        return done

    def made(self, day: date, settings: Settings) -> Done:
        """Its result.

        Raises:
            MissingStageError: if it has not been done with these inputs, settings and code.
        """
        done = read_done(folder_of(self.name, day, settings, self.key(day, settings)))
        if done is None:
            raise MissingStageError(
                f"{self.name} of {day} is not done for these clicks, settings and code: "
                f"run `{settings.command(f'stage {self.name} --day {day}')}` first, or the whole nightly"
            )
        return done

    def _found(self, day: date, settings: Settings, key: str) -> Done | None:
        done = read_done(folder_of(self.name, day, settings, key))
        if done is not None:
            say("stage skipped, it is done", stage=self.name, day=day, folder=str(done.folder))
        return done

    def _make(self, day: date, settings: Settings, key: str, before: list[Done]) -> Done:
        if settings.dry_run:
            raise NotYetError(f"{self.name} of {day} would run (fingerprint {key[:12]})")
        say("stage started", stage=self.name, day=day)
        began, target = time.monotonic(), folder_of(self.name, day, settings, key)
        aside = target.with_name(f".{target.name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        facts = self.make(day, settings, aside, *before)
        done = Done(self.name, day, target, key, facts, time.monotonic() - began)
        mark = {name: value for name, value in vars(done).items() if name != "folder"}
        (aside / MARK).write_text(json.dumps(mark, indent=1, default=str), encoding="utf-8")
        put_in_place(aside, target)
        say("stage done", stage=self.name, day=day, seconds=done.seconds, **facts)
        return done


def stage(
    name: str, inputs: Inputs, *needs: Stage, after: After | None = None
) -> Callable[[Callable[..., Facts]], Stage]:
    """Make a stage of the function that makes its result."""
    return lambda make: Stage(name, inputs, needs, after, make)


def stage_of(error: BaseException, otherwise: str) -> str:
    """The stage in which something failed."""
    notes = getattr(error, "__notes__", ())
    return next((n.removeprefix(STAGE_NOTE) for n in notes if n.startswith(STAGE_NOTE)), otherwise)


def read_done(folder: Path) -> Done | None:
    """What a finished stage noted, if the folder is one's."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        day = date.fromisoformat(mark["day"])
        return Done(mark["stage"], day, folder, mark["fingerprint"], mark["facts"], mark["seconds"])
    except (OSError, ValueError, KeyError):
        return None


def results(settings: Settings, day: date, stage: str = "[a-z]*") -> list[Done]:
    """What is done of a day, or of one of its stages; the newest last."""
    marks = day_folder(settings, day).glob(f"{stage}-*/{MARK}")
    found = (read_done(mark.parent) for mark in sorted(marks, key=lambda mark: mark.stat().st_mtime_ns))
    return [done for done in found if done is not None]


def day_folder(settings: Settings, day: date) -> Path:
    """Where the stages of a day are kept."""
    return settings.work.folder / "days" / day.isoformat()


def days(settings: Settings) -> list[date]:
    """The days that have been worked on, in order."""
    folders = (settings.work.folder / "days").glob("????-??-??")
    return sorted(date.fromisoformat(folder.name) for folder in folders)


def tidy(settings: Settings, last: Done) -> None:
    """Remove the results of days long past, and what is half-made or no longer needed of this one."""
    oldest = last.day - timedelta(days=settings.work.keep_days)
    for day in days(settings):
        if day < oldest:
            shutil.rmtree(day_folder(settings, day))
    for left in day_folder(settings, last.day).glob(".*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def fingerprint(stage: str, day: date, *inputs: object) -> str:
    """A SHA-256 over a stage's name, day, inputs and settings, and over the code."""
    parts = [asdict(part) if is_dataclass(part) and not isinstance(part, type) else part for part in inputs]
    text = json.dumps([stage, day.isoformat(), code_fingerprint(), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_fingerprint() -> str:
    """A SHA-256 over the source of the library and of the pipelines, as this process began with it."""
    library, here = Path(recsys_gru.__file__).parent, Path(__file__).parents[1]
    files = {path.relative_to(library).as_posix(): path for path in library.rglob("*.py")}
    files |= {f"{here.name}/{path.relative_to(here).as_posix()}": path for path in here.rglob("*.py")}
    digest = hashlib.sha256()
    for name in sorted(files):  # the same ones whether the pipelines lie beside the library or in it
        digest.update(name.encode())
        digest.update(files[name].read_bytes())
    return digest.hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a small file aside, sync it, and rename it into place."""
    from recsys_gru.files import sync

    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8")
    sync(aside)
    aside.replace(path)
    sync(path.parent)


def put_in_place(aside: Path, target: Path) -> None:
    """Sync all that was made, and give it its name; what stood there without a mark goes."""
    from recsys_gru.files import sync  # not before: it loads NumPy, which help does without

    for path in sorted(aside.rglob("*")):
        sync(path)
    sync(aside)
    if target.exists():
        shutil.rmtree(target)
    aside.rename(target)
    sync(target.parent)


def folder_of(stage: str, day: date, settings: Settings, key: str) -> Path:
    """Where the result of a stage with this fingerprint is kept."""
    return day_folder(settings, day) / f"{stage}-{key[:12]}"
