"""Which model serves, and which one a day's challenger is compared with."""

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..plumbing.errors import PipelineError
from ..plumbing.periods import midnight
from ..plumbing.settings import Settings, Tracking
from ..plumbing.versions import named, standing_at
from ..plumbing.workshop import day_folder, results, write_whole
from .sessions import sessions

if TYPE_CHECKING:
    from recsys_gru.tracking import Registry

CHAMPION, CHALLENGER = "champion", "challenger"
HELD = "held_through"
"""On a version that was rolled back to: the day of the version that had to go."""
REPLACES = "replaces"
ROLLED_BACK = "rolled_back"
"""On a version that had to go: when, and in favour of which."""


def registry_of(settings: Settings) -> "Registry":
    """The registered model.

    Raises:
        TrackingError: if the store cannot be used.
    """
    return _open(settings.tracking)


@cache
def _open(tracking: Tracking) -> "Registry":
    from recsys_gru.tracking import Registry

    return Registry(tracking.where, tracking.model, tracking.experiment)


def serving(settings: Settings) -> int | None:
    """The version that serves.

    Raises:
        PipelineError: if none does, though the work folder knows that one did.
    """
    version = registry_of(settings).version_of(CHAMPION)
    if version is None:
        require_known(settings)
    return version


def require_known(settings: Settings) -> None:
    """Notice a registry that was lost: a night would begin with version 1 as if nothing had ever served.

    Raises:
        PipelineError: if no version serves, though the work folder knows that one did.
    """
    note = _note(settings)
    if not note.exists() or registry_of(settings).version_of(CHAMPION) is not None:
        return
    known = json.loads(note.read_text(encoding="utf-8"))
    back = settings.command(f"rollback --to {known['version']}")
    raise PipelineError(
        f"the registry was lost: no version of {settings.tracking.model} serves in "
        f"{settings.tracking.where}, though {note} knows version {known['version']} of {known['model']} "
        f"(day {known['day']}) as the champion. Restore the store from a backup; or, if only the alias is "
        f"gone: {back}; or, to begin with nothing: {settings.command('nightly --anew')}"
    )


def note_champion(settings: Settings) -> None:
    """Note in the work folder which version serves, if one does."""
    registry = registry_of(settings)
    version = registry.version_of(CHAMPION)
    if version is not None:
        known = {"version": version, "model": settings.tracking.model}
        known["day"] = registry.tags(version).get("day", "not known")
        text = json.dumps(known)
        if not _note(settings).exists() or _note(settings).read_text(encoding="utf-8") != text:
            write_whole(_note(settings), text)


def forget_champion(settings: Settings) -> None:
    """Begin anew: no version is known to have served."""
    _note(settings).unlink(missing_ok=True)


def rolled_back(settings: Settings, version: int | None) -> str | None:
    """When a version was rolled back and to which, if it was and has not been put into use again."""
    tags = {} if version is None else registry_of(settings).tags(version)
    return tags.get(ROLLED_BACK) or None


def day_of(settings: Settings, version: int) -> date | None:
    """The day that a version was tested on, if it came from a nightly run."""
    day = registry_of(settings).tags(version).get("day")
    return date.fromisoformat(day) if day else None


def bar_of(settings: Settings, version: int) -> date | None:
    """The last day whose challenger cannot replace a version: its own, or that which was rolled back."""
    tags = registry_of(settings).tags(version)
    return max((date.fromisoformat(tags[key]) for key in ("day", HELD) if tags.get(key)), default=None)


def rival(day: date, settings: Settings) -> int | None:
    """The champion as it stood when this day's run began: a rerun must compare with the same one.

    It is noted with the day. The note holds while that champion serves, or the challenger that came of this
    day, and once the gate has decided on it; else the champion has been moved by others, and is noted anew.
    """
    made_of = sessions.key(day, settings)
    path = day_folder(settings, day) / f"rival-{made_of[:12]}.json"
    standing = serving(settings)
    if path.exists():
        noted: int | None = json.loads(path.read_text(encoding="utf-8"))
        if standing == noted or _is_child(settings, standing, made_of) or _is_decided(settings, day, made_of):
            return noted
    if not settings.dry_run:
        write_whole(path, json.dumps(standing))
    return standing


def fresh_rival(day: date, settings: Settings) -> int | None:
    """The fresh version as it was when the day began, if it is kept: the harder one to replace.

    It is noted with the day, as the champion is, so that a rerun compares with the same one.
    """
    made_of = sessions.key(day, settings)
    path = day_folder(settings, day) / f"rival-fresh-{made_of[:12]}.json"
    if path.exists():
        noted: int | None = json.loads(path.read_text(encoding="utf-8"))
        if noted is None or named(settings, noted) or _is_decided(settings, day, made_of):
            return noted
    stood = standing_at(settings, midnight(day))
    number = None if stood is None else stood.number
    if not settings.dry_run:
        write_whole(path, json.dumps(number))
    return number


def _note(settings: Settings) -> Path:
    return settings.work.folder / "champion.json"


def _is_child(settings: Settings, version: int | None, made_of: str) -> bool:
    return version is not None and registry_of(settings).tags(version).get("sessions") == made_of


def _is_decided(settings: Settings, day: date, made_of: str) -> bool:
    return any(done.facts["sessions"] == made_of for done in results(settings, day, "promote"))
