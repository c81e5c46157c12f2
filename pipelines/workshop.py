"""How a stage keeps its result: made aside, synced, renamed, marked; and never made twice."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import recsys_gru
from pipelines.errors import MissingStageError, NotYetError
from pipelines.events import say
from pipelines.settings import Settings
from recsys_gru.folders import sync

MARK = "done.json"
Facts = dict[str, Any]
STAGE_NOTE = "stage: "


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


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Mark a function as a stage: what fails inside it, or in what it asks for first, bears its name."""
    try:
        yield
    except Exception as error:
        error.add_note(STAGE_NOTE + name)
        raise


def stage_of(error: Exception, otherwise: str) -> str:
    """The innermost stage in which something failed."""
    notes = getattr(error, "__notes__", ())
    return next((n.removeprefix(STAGE_NOTE) for n in notes if n.startswith(STAGE_NOTE)), otherwise)


def once(settings: Settings, stage: str, day: date, key: str, make: Callable[[Path], Facts]) -> Done:
    """Run a stage unless its result is there already.

    Args:
        key: fingerprint of all that the result depends on.
        make: fills a fresh folder and returns the facts.

    Raises:
        NotYetError: in a dry run, if it is not there.
    """
    target = folder_of(settings, stage, day, key)
    done = read_done(target)
    if done is not None:
        say("stage skipped, it is done", stage=stage, day=day, folder=str(target))
        return done
    if settings.dry_run:
        raise NotYetError(f"{stage} of {day} would run (fingerprint {key[:12]})")
    say("stage started", stage=stage, day=day)
    began = time.monotonic()
    aside = target.with_name(f".{target.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    facts = make(aside)
    seconds = time.monotonic() - began
    mark = {"stage": stage, "day": day.isoformat(), "fingerprint": key, "facts": facts, "seconds": seconds}
    (aside / MARK).write_text(json.dumps(mark, indent=1, default=str), encoding="utf-8")
    put_in_place(aside, target)
    say("stage done", stage=stage, day=day, seconds=seconds, **facts)
    return Done(stage, day, target, key, facts, seconds)


def found(settings: Settings, stage: str, day: date, key: str) -> Done:
    """The finished stage.

    Raises:
        MissingStageError: if it has not been done with these inputs, settings and code.
    """
    done = read_done(folder_of(settings, stage, day, key))
    if done is None:
        raise MissingStageError(
            f"{stage} of {day} is not done for these clicks, settings and code: "
            f"run `python -m pipelines {stage} --day {day}` first, or the whole nightly"
        )
    return done


def read_done(folder: Path) -> Done | None:
    """What a finished stage noted, if the folder is one's."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        day = date.fromisoformat(mark["day"])
        return Done(mark["stage"], day, folder, mark["fingerprint"], mark["facts"], mark["seconds"])
    except (OSError, ValueError, KeyError):
        return None


def day_folder(settings: Settings, day: date) -> Path:
    """Where the stages of a day are kept."""
    return settings.work.folder / "days" / day.isoformat()


def folder_of(settings: Settings, stage: str, day: date, key: str) -> Path:
    """Where one stage of a day is kept."""
    return day_folder(settings, day) / f"{stage}-{key[:12]}"


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
    digest = hashlib.sha256()
    for home in (Path(recsys_gru.__file__).parent, Path(__file__).parent):
        for path in sorted(home.rglob("*.py")):
            digest.update(path.relative_to(home).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a small file aside, sync it, and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8")
    sync(aside)
    aside.replace(path)
    sync(path.parent)


def put_in_place(aside: Path, target: Path) -> None:
    """Sync all that was made, and give it its name; what stood there without a mark goes."""
    for path in sorted(aside.rglob("*")):
        sync(path)
    sync(aside)
    if target.exists():
        shutil.rmtree(target)
    aside.rename(target)
    sync(target.parent)
