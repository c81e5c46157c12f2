"""The fresh versions: a folder each with model and ledger in it, and a pointer to the one that serves."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .periods import A_DAY, midnight
from .settings import Settings
from .workshop import MARK, Facts, put_in_place, write_whole

MODEL, LEDGER, CURRENT = "model", "ledger.jsonl", "current.json"
MIDNIGHTS = 3
"""The versions that stood at so many last midnights are kept: nights are compared with them."""


@dataclass(frozen=True)
class Version:
    """A fresh version.

    Attributes:
        base: the champion's version in the registry from which it goes on.
        until: the end of the last period that it has learned.
    """

    number: int
    folder: Path
    base: int
    until: datetime

    @property
    def model(self) -> Path:
        """The saved model."""
        return self.folder / MODEL

    def ledger(self) -> list[Facts]:
        """A row for each period that was learned, also by the versions before, oldest first."""
        lines = (self.folder / LEDGER).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def fresh_folder(settings: Settings) -> Path:
    """Where all of it is."""
    return settings.work.folder / "fresh"


def current(settings: Settings) -> Version | None:
    """The version that the pointer names, if there is one."""
    path = fresh_folder(settings) / CURRENT
    if not path.exists():
        return None
    return named(settings, json.loads(path.read_text(encoding="utf-8"))["version"])


def named(settings: Settings, number: int) -> Version | None:
    """A version by its number, if it is kept."""
    folder = _home(settings) / f"{number:06}"
    if not (folder / MARK).exists():
        return None
    mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    return Version(number, folder, mark["base"], datetime.fromisoformat(mark["until"]))


def kept(settings: Settings) -> list[Version]:
    """The versions that are kept, up to the one that serves; what a killed run left beyond it is none."""
    now = current(settings)
    numbers = sorted(int(path.parent.name) for path in _home(settings).glob(f"[0-9]*/{MARK}"))
    found = [named(settings, number) for number in numbers if now is not None and number <= now.number]
    return [version for version in found if version is not None]


def standing_at(settings: Settings, moment: datetime) -> Version | None:
    """The newest version that had learned nothing from a moment on, if it is not older than a day."""
    found = [version for version in kept(settings) if moment - A_DAY < version.until <= moment]
    return found[-1] if found else None


def draft(settings: Settings, fill: Callable[[Path], None]) -> Path:
    """Make the folder of the next version, where nobody looks yet.

    Args:
        fill: saves the model, and what belongs to it, in a folder.
    """
    target = _home(settings) / f"{_next(settings):06}"
    aside = target.with_name(f".{target.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    fill(aside)
    return aside


def publish(settings: Settings, base: int, until: datetime, rows: list[Facts], drafted: Path) -> Version:
    """Make a draft the next version, whole or not at all, and point to it.

    Args:
        rows: the ledger; the rows that bear no number get the new version's.
    """
    number = _next(settings)
    target = _home(settings) / f"{number:06}"
    lines = (json.dumps({"version": number} | row) for row in rows)
    (drafted / LEDGER).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    mark = {"version": number, "base": base, "until": until.isoformat()}
    (drafted / MARK).write_text(json.dumps(mark), encoding="utf-8")
    put_in_place(drafted, target)
    where = target.relative_to(fresh_folder(settings)).as_posix()
    write_whole(fresh_folder(settings) / CURRENT, json.dumps({**mark, "path": where}, indent=1))
    return Version(number, target, base, until)


def prune(settings: Settings) -> None:
    """Remove all but the newest versions and those that stood at the last midnights."""
    versions = kept(settings)
    if not versions:
        return
    staying = {version.number for version in versions[-settings.fresh.keep :]}
    for back in range(MIDNIGHTS):
        stood = standing_at(settings, midnight(versions[-1].until.date()) - timedelta(days=back))
        staying |= set() if stood is None else {stood.number}
    for folder in _home(settings).iterdir():
        if folder.name not in {f"{number:06}" for number in staying}:
            shutil.rmtree(folder)


def _home(settings: Settings) -> Path:
    return fresh_folder(settings) / "versions"


def _next(settings: Settings) -> int:
    before = current(settings)
    return 1 if before is None else before.number + 1
