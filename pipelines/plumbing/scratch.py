"""A folder of the job's own for what is on its way: what a killed run left there goes with the next."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_scratch(folder: Path) -> Iterator[None]:
    """Have all temporary files made in ``scratch/`` of a work folder, which is emptied before and after.

    Whoever comes here holds the lock of the work folder: nobody else's files are there.
    """
    place, usual = folder / "scratch", tempfile.tempdir
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700, parents=True)
    tempfile.tempdir = str(place.absolute())
    try:
        yield
    finally:
        tempfile.tempdir = usual
        shutil.rmtree(place, ignore_errors=True)
