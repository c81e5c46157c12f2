"""Files and folders that outlive a power cut: the one place that syncs them."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder.

    A folder that the system does not open, as on Windows, is left to the system.
    """
    is_folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)  # Windows syncs what can be written
    except PermissionError:
        if is_folder:
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
