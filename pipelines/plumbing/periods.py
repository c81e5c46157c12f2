"""Periods between the nights: minutes or hours that divide a day, counted from midnight, UTC."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from .errors import BadInputError

A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)
EVERY = re.compile(r"([1-9]\d*)(min|h|d)")
UNITS = {"min": timedelta(minutes=1), "h": AN_HOUR, "d": A_DAY}


@dataclass(frozen=True, order=True)
class Period:
    """A stretch of time from a moment on."""

    start: datetime
    every: timedelta

    @property
    def end(self) -> datetime:
        """The moment right after it."""
        return self.start + self.every

    @property
    def day(self) -> date:
        """The day it lies on."""
        return self.start.date()

    @property
    def name(self) -> str:
        """Its name in files and tables, such as 2026-01-31T13."""
        return self.start.strftime(form_of(self.every))


def length_of(text: str) -> timedelta:
    """The length of a period in words.

    Raises:
        BadInputError: if it is none, or does not divide a day.

    >>> length_of("15min") * 4 == length_of("1h")
    True
    """
    found = EVERY.fullmatch(text)
    length = int(found[1]) * UNITS[found[2]] if found and len(found[1]) < 6 else timedelta()
    divides = length and (AN_HOUR % length == timedelta() or length % AN_HOUR == timedelta())
    if not divides or A_DAY % length != timedelta():
        raise BadInputError(
            f"expected fresh.every as minutes that divide an hour or hours that divide a day, such as 15min, "
            f"1h, 6h or 1d, got {text!r}"
        )
    return length


def form_of(every: timedelta) -> str:
    """How periods of a length are named, as strftime takes it."""
    if every == A_DAY:
        return "%Y-%m-%d"
    return "%Y-%m-%dT%H" if every % AN_HOUR == timedelta() else "%Y-%m-%dT%H-%M"


def period_at(moment: datetime, every: timedelta) -> Period:
    """The period in which a moment lies.

    >>> period_at(datetime(2026, 1, 31, 13, 47, tzinfo=UTC), length_of("15min")).name
    '2026-01-31T13-45'
    """
    day = midnight(moment.astimezone(UTC).date())
    return Period(day + (moment - day) // every * every, every)


def finished(since: datetime, until: datetime, every: timedelta) -> Iterator[Period]:
    """The periods from that on in which a moment lies, as far as they have ended."""
    period = period_at(since, every)
    while period.end <= until:
        yield period
        period = Period(period.end, every)


def midnight(day: date) -> datetime:
    """The moment at which a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
