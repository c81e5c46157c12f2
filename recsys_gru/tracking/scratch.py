"""Folders for files on their way to the store or from it; what killed processes left of theirs goes."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_gru.tracking.delivery.process import dead, this_process

PREFIX = "recsys-gru"
CODE = "code_model_"
"""How MLflow calls the modules of code that it loads for a model, a number behind."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A fresh folder in the system's temporary folder, gone when the block ends.

    A process that is killed in the block leaves it; the next one that comes here removes it.
    """
    home = Path(tempfile.gettempdir())
    clear(home)
    name = f"{PREFIX}-{platform.node()}-{this_process()}-"
    folder = Path(tempfile.mkdtemp(prefix=name, dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear(home: Path) -> None:
    """Remove the scratch folders in ``home`` whose process on this machine is gone, if they are ours."""
    for folder in home.glob(f"{PREFIX}-*-*-*-*"):
        machine, number, began, _ = folder.name.removeprefix(f"{PREFIX}-").rsplit("-", 3)
        try:
            ours = os.name == "nt" or folder.lstat().st_uid == os.getuid()
        except OSError:  # another process was faster
            continue
        if ours and not folder.is_symlink() and dead(f"{machine}/{number}-{began}"):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def forgetting(folder: Path) -> Iterator[None]:
    """Forget after the block the code that MLflow has loaded in it, and that it looked for some in a folder.

    For each model that it writes or loads it adds modules, and a path: a process that stays would grow.
    """
    known = set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = [path for path in sys.path if not Path(path).is_relative_to(folder)]
        for name in {name for name in sys.modules if name.startswith(CODE)} - known:
            del sys.modules[name]
