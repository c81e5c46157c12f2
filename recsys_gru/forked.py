"""A fork copies one thread only: those of Polars and OpenMP stay behind, and who waits for them never ends.

So what needs them asks here first. In a process forked after its parent had used them it is refused; where
only the package was imported before the fork nothing is lost, and everything works.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

from recsys_gru.errors import ForkError

_OURS = Path("/proc/self/task")
_OF_POLARS = re.compile(r"polars-\d+\n")


@final
@dataclass
class _Threads:
    """Whether threads were begun in this process, and whether some stayed behind in its parent."""

    begun: bool = False
    left_behind: bool = False

    def look(self) -> None:
        """Before a fork: the caller may have used Polars without us."""
        self.begun = self.begun or ("polars" in sys.modules and _polars_works())

    def wake(self) -> None:
        """In the child: what was begun is not here any more."""
        self.left_behind, self.begun = self.left_behind or self.begun, False


def need_threads(what: str) -> None:
    """Say that this is going to use threads of other libraries.

    Raises:
        ForkError: if they were left behind in the parent of this process.

    >>> need_threads("recommend")
    """
    if _threads.left_behind:
        raise ForkError(
            f"{what} would wait for ever: this process was forked after Polars or a model had been used, "
            "and their threads stayed in its parent. What to do: load the model in the worker itself, before "
            "anything else has used them, or start workers by spawn (multiprocessing.get_context('spawn'), "
            "gunicorn without --preload); recommend_one works here"
        )
    _threads.begun = True


def _polars_works() -> bool:
    """Whether the threads of Polars run here, as far as this system can tell."""
    try:
        return any(_OF_POLARS.fullmatch((one / "comm").read_text()) for one in _OURS.iterdir())
    except OSError:
        return False


_threads = _Threads()
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=_threads.look, after_in_child=_threads.wake)
