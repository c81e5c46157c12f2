"""The log of clicks on disk: a click is acknowledged once the disk has it.

A thread writes what has come while it wrote before, and syncs it once for all. Where the disk refuses,
nothing of that is kept and each of these clicks is answered with 503: the client has it still.
"""

import asyncio
import csv
import io
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import final

from recsys_gru.errors import InputError
from recsys_gru.files import sync
from recsys_gru.serving.gathering import Gathering
from recsys_gru.serving.refusal import busy
from recsys_gru.serving.segments import (
    HEAD,
    OPEN,
    close_orphans,
    fill_gap,
    free_writer,
    length_of,
    mended,
    name_of,
    period_of,
    put_in_place,
)

log = logging.getLogger("recsys_gru.serving")

GRACE = 2.0
"""Seconds after its end at which a period is closed: clicks of its last moments are written by then."""
TICK = 0.2
"""Seconds between two looks at the clock."""
MOST_WAITING = 20_000
"""Clicks that wait for the disk at most."""


ENOUGH = 64
"""Clicks that wait for no others before they are handed to the disk."""


@final
@dataclass(frozen=True, eq=False)
class Click:
    """A click as it stands in the log; the time in seconds since 1970."""

    session: str
    item: int | str
    time: float


_Waiting = tuple[Click, "asyncio.Future[None]"]


@final
class ClickLog:
    """The log in a folder, cut into periods; see `segments`.

    Args:
        every: length of the periods. Several processes may write into one folder, each its own segment.
        clock: seconds since 1970; by it periods end.
        observe: is told how many clicks were written, in how many seconds, and whether they are kept.

    Raises:
        InputError: if the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        every: str,
        clock: Callable[[], float],
        observe: Callable[[int, float, bool], None],
    ) -> None:
        self.folder, self.trouble = folder, ""
        self._length, self._clock, self._observe = length_of(every), clock, observe
        self._come: list[_Waiting] = []
        self._handed: SimpleQueue[list[_Waiting]] = SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._closing = False
        self._segments: dict[int, tuple[Path, int]] = {}
        self._loop = asyncio.get_running_loop()
        try:
            (folder / OPEN).mkdir(parents=True, exist_ok=True)
            self._writer, self._guard = free_writer(folder)
            self._take_up()
        except OSError as error:
            raise InputError(f"cannot write clicks into {folder}: {error}") from error
        self._gathering = Gathering(lambda: len(self._come), ENOUGH, self._hand_over)
        self._thread = threading.Thread(target=self._work, name="recsys-gru clicks", daemon=True)
        self._thread.start()

    def add(self, click: Click) -> "asyncio.Future[None]":
        """What is done when the disk has the click; RefusedError, 503, if it does not take it.

        Raises:
            RefusedError: 503 if too many wait already; then as else it is not in the log.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        with self._lock:
            if self._closing or self._waiting >= MOST_WAITING:
                raise busy(f"{self._waiting} clicks are waiting for the disk, which is all that may")
            self._come.append((click, future))
        self._waiting += 1
        self._gathering.begin()
        return future

    def close(self) -> None:
        """Write what waits, then end; the open segment is taken up by the next start."""
        with self._lock:
            self._closing = True
        self._hand_over()
        self._thread.join()
        for _, handle in self._segments.values():
            os.close(handle)
        self._guard.close()

    def _hand_over(self) -> None:
        """To the thread: the clicks of one pass over the catalogue are one writing, done meanwhile."""
        with self._lock:
            self._handed.put(self._come)
            self._come = []

    def _take_up(self) -> None:
        """What was left open, also by a crash, is closed or gone on with; no service, no clicks."""
        now = self._clock()
        for path in sorted((self.folder / OPEN).glob(f"*.{self._writer}.csv")):
            mended(path)
            if period_of(path) != name_of(self._start(now), self._length):
                put_in_place(path, self.folder)
        close_orphans(self.folder, name_of(self._start(now), self._length))
        fill_gap(self.folder, self._start(now), self._length)
        self._segment(self._start(now))

    def _work(self) -> None:
        looked = 0.0
        while True:
            if taken := self._taken():
                self._write(taken)
            with self._lock:
                if self._closing and not self._come and self._handed.empty():
                    return
            if time.monotonic() > looked + TICK:
                self._close_finished()
                looked = time.monotonic()

    def _taken(self) -> list[_Waiting]:
        """All that has been handed over; a tick is waited for the first of it."""
        try:
            taken = self._handed.get(timeout=TICK)
        except Empty:
            return []
        while not self._handed.empty():
            taken += self._handed.get()
        return taken

    def _write(self, taken: list[_Waiting]) -> None:
        began, error = time.monotonic(), None
        try:
            self._append([click for click, _ in taken])
        except OSError as found:
            log.error("%d clicks could not be kept: %s", len(taken), found)  # noqa: TRY400 - a full disk is no bug
            error = found
        self.trouble = "" if error is None else str(error)
        seconds = time.monotonic() - began
        futures = [future for _, future in taken]
        self._loop.call_soon_threadsafe(self._settle, futures, error, seconds)

    def _settle(self, futures: "list[asyncio.Future[None]]", error: OSError | None, seconds: float) -> None:
        self._waiting -= len(futures)
        self._observe(len(futures), seconds, error is None)
        for future in futures:
            if future.done():  # its client has gone; the click is kept all the same
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(busy(f"the click could not be kept: {error.strerror}"))

    def _append(self, clicks: list[Click]) -> None:
        """Write and sync; of what the disk does not take nothing stays.

        Raises:
            OSError: if it does not.
        """
        parts: dict[int, list[Click]] = {}
        current = self._start(self._clock())
        for click in clicks:
            own = self._start(click.time)
            parts.setdefault(own if own in self._segments else current, []).append(click)
        grown: list[tuple[int, int]] = []
        try:
            for start, found in parts.items():
                handle = self._segment(start)
                grown.append((handle, os.fstat(handle).st_size))
                _write_all(handle, _lines(found))
            for handle, _ in grown:
                os.fsync(handle)
        except OSError:
            for handle, size in grown:
                os.ftruncate(handle, size)
            raise

    def _segment(self, start: int) -> int:
        """The open segment of a period."""
        if start not in self._segments:
            path = self.folder / OPEN / f"{name_of(start, self._length)}.{self._writer}.csv"
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                if not os.fstat(handle).st_size:
                    _write_all(handle, HEAD)
                    os.fsync(handle)
                    sync(path.parent)
            except OSError:
                os.ftruncate(handle, 0)
                os.close(handle)
                raise
            self._segments[start] = path, handle
        return self._segments[start][1]

    def _close_finished(self) -> None:
        """Close the periods that are over, and open the present one; a quiet one has its file too."""
        now = self._clock()
        try:
            for start in [one for one in self._segments if one + self._length + GRACE <= now]:
                path, handle = self._segments[start]
                put_in_place(path, self.folder)
                os.close(handle)
                del self._segments[start]
                close_orphans(self.folder, name_of(self._start(now), self._length))
                fill_gap(self.folder, self._start(now), self._length)
            self._segment(self._start(now))
        except OSError as error:
            if str(error) != self.trouble:
                log.error("a period of the log could not be closed: %s", error)  # noqa: TRY400
            self.trouble = str(error)

    def _start(self, moment: float) -> int:
        return int(moment // self._length * self._length)


def _lines(clicks: list[Click]) -> bytes:
    """Their lines of the file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [(click.session, click.item, _stamp(click.time)) for click in clicks]
    )
    return text.getvalue().encode()


def _stamp(moment: float) -> str:
    more, micros = divmod(round(moment % 1 * 1e6), 1_000_000)
    return f"{_second(int(moment // 1) + more)}.{micros:06}Z"


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    """A second as it stands in the log: that of most clicks is the one of the click before."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
