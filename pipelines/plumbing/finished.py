"""Days that the gate has decided on: what they learned from stays, though late clicks have come since."""

import shutil
from datetime import date

from .settings import Settings
from .workshop import Facts, day_folder, file_digest, results

DECISION, TAKEN_IN = "promote", "ingest"


def taken_in(day: date, settings: Settings) -> str | None:
    """The digest of the landed file whose clicks are in the store, if that is still known."""
    done = results(settings, day, TAKEN_IN)
    return done[-1].facts.get("landed") if done else None


def landed(day: date, settings: Settings) -> str | None:
    """The digest of the day's landed file, if there is one."""
    path = settings.input.file(day)
    return file_digest(path) if path.is_file() else None


def decision(day: date, settings: Settings) -> Facts | None:
    """The newest decision on a day."""
    decided = results(settings, day, DECISION)
    return decided[-1].facts if decided else None


def clicks_decided_on(day: date, settings: Settings) -> str | None:
    """The fingerprint of the clicks that the decision on a day stands on, unless its own file has changed.

    Clicks of other days' files do not open a finished day again; its own file, delivered anew, does.
    """
    decided = decision(day, settings)
    if decided is None or "clicks" not in decided:
        return None
    now = landed(day, settings)
    return str(decided["clicks"]) if now in (None, decided["landed"]) else None


def open_again(day: date, settings: Settings) -> None:
    """Remove what was made of a day, but not the clicks that were taken in."""
    for made in day_folder(settings, day).glob("[a-z]*-*"):
        if made.is_dir() and not made.name.startswith(f"{TAKEN_IN}-"):
            shutil.rmtree(made)


def forget_rivals(day: date, settings: Settings) -> None:
    """Remove the notes of which champions a day met."""
    for note in day_folder(settings, day).glob("rival-*.json"):
        note.unlink()
