"""How this command line is called: what is printed to be typed must work where it is typed."""

import os
import shutil
import sys
from pathlib import Path

OURS = "recsys-gru"


def program(name: str = OURS) -> str:
    """How to call a program that came with this one: by its name where PATH leads to it, else by its path.

    Through ``make`` that is ``.venv/bin/recsys-gru``, for nobody has put the environment on PATH.

    >>> program().endswith("recsys-gru")
    True
    """
    beside = Path(sys.argv[0]).with_name(name)
    found = shutil.which(name)
    if Path(sys.argv[0]).name != OURS or (found and Path(found).absolute() == beside.absolute()):
        return name
    here = os.path.relpath(beside)
    return str(beside.absolute()) if here.startswith(os.pardir) else here
