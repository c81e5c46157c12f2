"""What a result depends on besides its parameters: code, libraries, machine, data."""

import getpass
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import recsys_gru
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.delivery.process import PROCESS, address

LIBRARIES = ("torch", "numpy", "polars", "numba", "scipy")
GIT_SECONDS = 5.0


def surroundings() -> dict[str, str]:
    """Code version, library versions and machine, as tags of a run.

    >>> surroundings()["code.version"] == recsys_gru.__version__
    True
    """
    tags = {
        "code.version": recsys_gru.__version__,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": Path(sys.argv[0] or "python").name,
        "mlflow.user": _user(),
        "machine.system": f"{platform.system()} {platform.machine()}",
        "machine.cores": str(os.cpu_count()),
        PROCESS: address(),
        **{f"library.{name}": found for name in LIBRARIES if (found := _version(name))},
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        tags["machine.threads"] = str(torch.get_num_threads())
    commit = _commit(Path(recsys_gru.__file__).parents[1])
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def profile(sessions: Sessions) -> dict[str, int | str]:
    """Counts and time window of packed sessions."""
    counts: dict[str, int | str] = {
        "sessions": sessions.n_sessions,
        "events": sessions.n_events,
        "items": len(sessions.vocabulary),
        "unknown": sessions.unknown.height,
    }
    if sessions.n_events:
        counts["first"] = _iso(int(sessions.times.min()))
        counts["last"] = _iso(int(sessions.times.max()))
    return counts


def load_of_this_process() -> dict[str, float]:
    """Processor and memory use; the processor's since the last call."""
    process = _process(os.getpid())
    return {
        "system/cpu_percent": process.cpu_percent(),
        "system/memory_megabytes": process.memory_info().rss / 1e6,
    }


@cache
def _process(number: int) -> psutil.Process:
    """The same object each time: it knows of the last call."""
    return psutil.Process(number)


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _commit(checkout: Path) -> str | None:
    """The checkout's commit, marked where files differ from it; none for an installed package."""
    if not (checkout / ".git").exists():
        return None
    ask = ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()
