"""Files by their exact name: no pattern, no pipe, no link unless it is asked for, and no more than fits."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from recsys_gru.errors import InputError

_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@contextmanager
def opened(path: Path, follow: bool = True) -> Iterator[BinaryIO]:
    """Open a regular file to read; what is put in its place meanwhile is not looked at.

    Args:
        follow: whether the name may be a link to the file.

    Raises:
        InputError: if it is something else than a file, such as a pipe, which might never answer.
        OSError: if it cannot be opened.
    """
    _require_regular(path, path.stat(follow_symlinks=follow).st_mode)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    number = os.open(path, flags if follow else flags | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(number, "rb") as file:
        _require_regular(path, os.fstat(number).st_mode)
        yield file


def content_of(file: BinaryIO, path: Path, limit: int | None = None) -> bytearray:
    """The whole content of an open file.

    Args:
        path: for messages.
        limit: the most bytes it may have.

    Raises:
        InputError: if it is larger than the limit or this machine's memory, or changed meanwhile.
    """
    size = require_room(file, path, limit)
    data = bytearray(size)
    file.seek(0)
    with memoryview(data) as room:
        fill(file, room, path)
    if file.read(1):
        raise InputError(f"{path} changed while it was read: expected {size:,} bytes")
    return data


def require_room(file: BinaryIO, path: Path, limit: int | None = None) -> int:
    """The size of an open file; raises InputError if it is larger than the limit or this machine's memory."""
    size, memory = os.fstat(file.fileno()).st_size, _memory()
    if size > (memory if limit is None else min(limit, memory)):
        most = "this machine's memory" if limit is None else f"the {limit:,} bytes expected at most"
        raise InputError(f"{path} has {size:,} bytes, more than {most}")
    return size


def fill(file: BinaryIO, room: memoryview, path: Path) -> None:
    """Read the next bytes of an open file, as many as there is room for; InputError if it has fewer."""
    read = 0
    while read < len(room) and (got := file.readinto(room[read:])):  # type: ignore[attr-defined]
        read += got
    if read < len(room):
        raise InputError(f"{path} changed while it was read: expected {len(room) - read:,} bytes more")


def read_file(path: Path, limit: int | None = None) -> bytearray:
    """The content of the file of exactly this name.

    Raises:
        InputError: if it is no regular file, or too large.
        OSError: if it cannot be read.
    """
    with opened(path) as file:
        return content_of(file, path, limit)


def link(path: str | Path, name: str | Path) -> None:
    """Give a file another name, or copy it where the disk knows no links."""
    try:
        os.link(path, name)
    except OSError:
        shutil.copyfile(path, name)


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder.

    A folder that the system does not open, as on Windows, is left to the system.
    """
    folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)  # Windows syncs what can be written
    except PermissionError:
        if folder:
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _require_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((words for holds, words in _KINDS if holds(mode)), "something else")
        raise InputError(f"{path} is {kind}: expected a file")


def _memory() -> int:
    """Bytes of memory that this machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not told here, as on Windows
        return 1 << 62
