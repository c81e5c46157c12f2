"""Days that were missed: which they are, and running them one after the other."""

from datetime import date, timedelta

from .nightly import run_night
from .plumbing.errors import BAD_INPUT, DONE, FAILED, REFUSED
from .plumbing.settings import Settings
from .plumbing.workshop import results


def backfill(first: date, last: date, settings: Settings) -> dict[date, int]:
    """Run the missed days of a span, oldest first; a day that fails does not stop the next ones.

    Only a day newer than the champion's can move the champion.
    """
    return {day: run_night(day, settings) for day in missed(first, last, settings)}


def missed(first: date, last: date, settings: Settings) -> list[date]:
    """The days of a span, both ends included, on which the gate has not decided."""
    days = (first + timedelta(days=step) for step in range((last - first).days + 1))
    return [day for day in days if not results(settings, day, "promote")]


def worst(codes: dict[date, int]) -> int:
    """One exit code for many: the gravest."""
    order = (DONE, REFUSED, BAD_INPUT, FAILED)
    return max(codes.values(), key=lambda code: order.index(code) if code in order else len(order), default=0)
