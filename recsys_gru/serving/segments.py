"""Where the log of clicks is cut: a file for each period, named and made as the job `fresh` takes it in.

The job's own rule is in the pipelines, which know this room as little as it knows them; a test compares both.

FOLDER/2026-01-31T13.csv            clicks of a period that is over; it appears whole, and stays as it is
FOLDER/open/2026-01-31T14.0.csv     of the present one, of the writer that holds open/writer-0
"""

import fcntl
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from recsys_gru.errors import ParameterError
from recsys_gru.files import sync

HEAD = b"session_id,item_id,time\n"
OPEN = "open"
EVERY = re.compile(r"([1-9]\d*)(min|h)")
MOST_WRITERS = 256
MOST_EMPTY = 200
"""Periods without a service that are written down as empty, at most."""


def length_of(every: str) -> int:
    """Seconds of a period, which divides a day.

    Raises:
        ParameterError: if it does not.

    >>> length_of("15min")
    900
    """
    found = EVERY.fullmatch(every)
    seconds = int(found[1]) * (60 if found[2] == "min" else 3600) if found and len(found[1]) < 6 else 0
    if not seconds or 86_400 % seconds or (3600 % seconds and seconds % 3600):
        raise ParameterError(
            f"expected every as minutes that divide an hour or hours that divide a day, such as 15min or 1h, "
            f"got {every!r}"
        )
    return seconds


def name_of(start: int, length: int) -> str:
    """The name of the period that begins at some seconds since 1970, as `fresh` names it.

    >>> name_of(1769864400, 3600)
    '2026-01-31T13'
    """
    form = "%Y-%m-%dT%H" if length % 3600 == 0 else "%Y-%m-%dT%H-%M"
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=start)).strftime(form)


def start_of(name: str) -> int:
    """When the period of that name begins, in seconds since 1970.

    >>> name_of(start_of("2026-01-31T13-45"), 900)
    '2026-01-31T13-45'
    """
    form = "%Y-%m-%dT%H-%M" if name.count("-") > 2 else "%Y-%m-%dT%H"
    return int(datetime.strptime(name, form).replace(tzinfo=UTC).timestamp())


def period_of(segment: Path) -> str:
    """The name of an open segment's period."""
    return segment.name.partition(".")[0]


def free_writer(folder: Path) -> tuple[int, TextIO]:
    """The lowest number that no process writes under, and the mark that holds it as long as it is open."""
    for number in range(MOST_WRITERS):
        if (guard := _held(folder, str(number))) is not None:
            return number, guard
    raise OSError(f"{MOST_WRITERS} processes write already")


def _held(folder: Path, writer: str) -> TextIO | None:
    guard = (folder / OPEN / f"writer-{writer}").open("w")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        guard.close()
        return None
    return guard


def close_orphans(folder: Path, current: str) -> None:
    """Close what killed processes have left of periods that are over; the present one is left to its end."""
    for segment in sorted((folder / OPEN).glob("*.*.csv")):
        period, writer, _ = segment.name.split(".")
        if period < current and (guard := _held(folder, writer)) is not None:
            with guard:
                if segment.exists():
                    mended(segment)
                    put_in_place(segment, folder)


def closed(folder: Path) -> list[Path]:
    """The files of finished periods, oldest first."""
    return sorted(path for path in folder.glob("????-??-??T*.csv") if path.is_file())


def put_in_place(segment: Path, folder: Path) -> None:
    """Close an open segment: its period's file appears whole, or grows by it at once.

    Several workers may do so for one period.
    """
    target = folder / f"{period_of(segment)}.csv"
    with (folder / OPEN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            aside = target.with_name(f".{target.name}.new")
            before, own = target.read_bytes(), segment.read_bytes()[len(HEAD) :]
            if own not in before:  # else a killed worker has come so far already
                aside.write_bytes(before + own)
                sync(aside)
                aside.replace(target)
            sync(folder)
            segment.unlink()
        else:
            sync(segment)
            segment.replace(target)
            sync(folder)


def mended(segment: Path) -> None:
    """Take away the piece of a line that a crash has left at the end: it was never acknowledged."""
    with segment.open("r+b") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        file.seek(0)
        if whole < len(HEAD):
            file.write(HEAD)
        file.truncate(max(whole, len(HEAD)))
        os.fsync(file.fileno())


def fill_gap(folder: Path, until: int, length: int) -> None:
    """Write down as empty the periods since the last one closed, in which no service ran."""
    before = closed(folder)
    first = max(start_of(before[-1].stem) + length, until - MOST_EMPTY * length) if before else until
    for start in range(first, until, length):
        path = folder / f"{name_of(start, length)}.csv"
        if not path.exists() and not list((folder / OPEN).glob(f"{path.stem}.*.csv")):
            aside = path.with_name(f".{path.name}.new")
            aside.write_bytes(HEAD)
            sync(aside)
            aside.replace(path)
    sync(folder)
