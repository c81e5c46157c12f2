"""Days that were missed: which they are, and running them one after the other."""

import json
from datetime import date, timedelta
from pathlib import Path

from .nightly import run_night
from .plumbing.bounds import DAYS
from .plumbing.errors import BAD_INPUT, DONE, FAILED, REFUSED, BadInputError
from .plumbing.settings import Settings
from .plumbing.workshop import results, write_whole


def backfill(first: date, last: date, settings: Settings) -> dict[date, int]:
    """Run the missed days of a span, oldest first; a day that fails does not stop the next ones.

    Only a day newer than the champion's can move the champion.
    """
    return {day: run_night(day, settings) for day in missed(first, last, settings)}


def missed(first: date, last: date, settings: Settings) -> list[date]:
    """The days of a span, both ends included, on which the gate has not decided, nor anybody dismissed.

    Raises:
        BadInputError: if it ends before it begins, or is longer than a model may learn from.
    """
    if not 0 <= (last - first).days < DAYS:
        raise BadInputError(
            f"expected a span of 1 to {DAYS} days, got {first} to {last}: give the earlier day as the first"
        )
    days = (first + timedelta(days=step) for step in range((last - first).days + 1))
    given_up = set(dismissed(settings))
    return [day for day in days if day not in given_up and not results(settings, day, "promote")]


def dismiss(days: list[date], settings: Settings) -> None:
    """Note that days will not be made up: nobody is told of them any more."""
    noted = sorted({*dismissed(settings), *days})
    write_whole(_note(settings), json.dumps([day.isoformat() for day in noted]))


def dismissed(settings: Settings) -> list[date]:
    """The days that will not be made up, in order."""
    if not _note(settings).exists():
        return []
    return [date.fromisoformat(day) for day in json.loads(_note(settings).read_text(encoding="utf-8"))]


def _note(settings: Settings) -> Path:
    return settings.work.folder / "dismissed.json"


def worst(codes: dict[date, int]) -> int:
    """One exit code for many: the gravest."""
    order = (DONE, REFUSED, BAD_INPUT, FAILED)
    return max(codes.values(), key=lambda code: order.index(code) if code in order else len(order), default=0)
