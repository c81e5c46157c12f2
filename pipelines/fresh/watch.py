"""The job that stays: it wakes when a period has ended and its clicks have landed, and keeps the model."""

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType

from ..plumbing.errors import DONE, LOCKED
from ..plumbing.events import recording, say
from ..plumbing.periods import Period, finished, length_of, period_at
from ..plumbing.settings import Settings
from ..plumbing.versions import current
from .job import run_fresh
from .stream import Memory
from .take import landed

LOOKS, BUSY = 1.0, 10
"""Seconds between two looks at the clock and the landed files; so many times that where the lock is held."""
Seen = tuple[datetime, tuple[tuple[str, int], ...]]


def watch(
    settings: Settings, memory: Memory | None = None, clock: Callable[[], datetime] | None = None
) -> int:
    """Run the job each time there is something new to learn, until SIGTERM; a run that fails stops nothing.

    Between its runs it holds no lock: the night can work. What failed is tried again when the next period has
    ended, or a file has been delivered.

    Args:
        memory: what it keeps; its ``ending`` ends it.
        clock: tells the time; the machine's if not given.
    """
    memory, clock = memory or Memory(), clock or _now
    with recording(None):
        say("watching", every=settings.fresh.every, wait_minutes=settings.fresh.wait_minutes)
    tried: Seen | None = None
    while not memory.ending:
        now, pauses = clock(), 1
        seen = _seen(settings, now)
        if seen != tried and _is_ready(settings, now):
            if run_fresh(settings, now, memory) == LOCKED:
                pauses = BUSY
            else:
                end, left = _seen(settings, now)
                tried = (end, left) if set(left) <= set(seen[1]) else None  # else one came meanwhile
        while pauses and not memory.ending:
            time.sleep(LOOKS)
            pauses -= 1
    return DONE


def end_on_terminate(memory: Memory) -> None:
    """Have SIGTERM end the process after the period at work."""

    def end(_number: int, _frame: FrameType | None) -> None:
        memory.ending = True  # no lock is taken here: the handler runs in the midst of anything

    signal.signal(signal.SIGTERM, end)


def _now() -> datetime:
    return datetime.now(UTC)


def _is_ready(settings: Settings, now: datetime) -> bool:
    """Whether the last period's clicks are all there: its file has landed, or enough time has passed."""
    every = length_of(settings.fresh.every)
    last = Period(period_at(now, every).start - every, every)
    waited = now >= last.end + timedelta(minutes=settings.fresh.wait_minutes)
    return waited or ("{period}" in settings.fresh.path and landed(last, settings).exists())


def _seen(settings: Settings, now: datetime) -> Seen:
    """The end of the last period, and the landed files of all that are still to be learned."""
    every, serving = length_of(settings.fresh.every), current(settings)
    end = period_at(now, every).start
    if "{period}" not in settings.fresh.path:  # the day's file grows all the time
        return end, ()
    since = end - every if serving is None else serving.until
    files = [landed(period, settings) for period in finished(since, end, every)]
    return end, tuple((path.name, path.stat().st_mtime_ns) for path in files if path.exists())
