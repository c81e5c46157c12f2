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
from pathlib import Path
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
        self._waiting: list[_Waiting] = []
        self._wake = threading.Condition()
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
        with self._wake:
            waiting = len(self._waiting) + len(self._come)
            if self._closing or waiting >= MOST_WAITING:
                raise busy(f"{waiting} clicks are waiting for the disk, which is all that may")
            self._come.append((click, future))
        self._gathering.begin()
        return future

    def close(self) -> None:
        """Write what waits, then end; the open segment is taken up by the next start."""
        with self._wake:
            self._closing = True
            self._waiting += self._come
            self._come = []
            self._wake.notify()
        self._thread.join()
        for _, handle in self._segments.values():
            os.close(handle)
        self._guard.close()

    def _hand_over(self) -> None:
        """To the thread: the clicks of one pass over the catalogue are one writing, done meanwhile."""
        with self._wake:
            self._waiting += self._come
            self._come = []
            self._wake.notify()

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
        while True:
            with self._wake:
                if not self._waiting and not self._closing:
                    self._wake.wait(TICK)
                taken, self._waiting = self._waiting, []
                if not taken and self._closing:
                    return
            if taken:
                self._write(taken)
            self._close_finished()

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
        (click.session, click.item, _stamp(click.time)) for click in clicks
    )
    return text.getvalue().encode()


def _stamp(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC).isoformat(timespec='microseconds')[:26]}Z"


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
