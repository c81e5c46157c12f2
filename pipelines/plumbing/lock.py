"""One run at a time: a lock that the kernel takes away from a killed holder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LockedError


@contextmanager
def locked(folder: Path, purpose: str) -> Iterator[None]:
    """Hold the lock of a work folder.

    Raises:
        LockedError: if another process holds it; the message says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise LockedError(f"{folder / 'lock'} is held by {file.read().strip()}; wait for it") from error
        file.truncate(0)
        file.write(f"process {os.getpid()}, {purpose}\n")
        file.flush()
        yield


def holder(folder: Path) -> str | None:
    """Who holds the lock of a work folder, if anyone does."""
    path = folder / "lock"
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return file.read().strip()
    return None
