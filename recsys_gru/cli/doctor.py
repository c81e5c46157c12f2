"""`doctor`: what a bug report should say of this machine."""

import json
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from recsys_gru import __version__
from recsys_gru.cli.options import tracking_option
from recsys_gru.errors import without_secrets

NEEDED = ("torch", "polars", "pyarrow", "numpy", "scipy", "numba", "safetensors", "mlflow", "optuna", "click")
EXTRA = ("starlette", "uvicorn", "redis", "dagster", "onnx", "onnxruntime")
"""Of the extras serve, redis, pipelines and export."""
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "NUMBA_NUM_THREADS",
    "NUMBA_CACHE_DIR",
    "NUMBA_DISABLE_JIT",
    "CUDA_VISIBLE_DEVICES",
)
MB = 1e6
Told = dict[str, dict[str, object]]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@tracking_option
def doctor(as_json: bool, where: str) -> None:
    """Tell versions, threads, BLAS, the cache of compiled loops, the store and free disk, for bug reports.

    Nothing is written or sent. Paths of this machine are told: look before you post them.
    """
    told: Told = {
        "machine": _machine(),
        "libraries": {name: _version(name) for name in NEEDED},
        "extras": {name: _version(name) for name in EXTRA},
        "threads": _threads(),
        "compiled loops": _loops(),
        "store": _store(where),
    }
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    for title, facts in told.items():
        click.echo(title)
        for name, fact in facts.items():
            click.echo(f"  {name:<20} {_in_words(fact)}")


def _machine() -> dict[str, object]:
    import recsys_gru

    return {
        "recsys-gru": __version__,
        "lies in": str(Path(str(recsys_gru.__file__)).parent),
        "Python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _threads() -> dict[str, object]:
    """Cores, threads, and what they multiply with."""
    import numpy as np

    from recsys_gru.kernels.machine.bytes import HAS_BYTES
    from recsys_gru.kernels.machine.threads import HAS_REGION, n_threads

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "cores": os.cpu_count(),
        "cores allowed": allowed,
        "threads used": n_threads(),
        "shared with torch": HAS_REGION,
        "byte products": HAS_BYTES,
        "NumPy's BLAS": f"{blas['name']} {blas['version']}",
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _loops() -> dict[str, object]:
    """Where compiled loops are kept; where they cannot be, each process compiles them anew."""
    from recsys_gru.kernels.machine.jit import kept_in
    from recsys_gru.kernels.rows import take

    folder = kept_in(take)
    if folder is None:
        return {"kept in": "nowhere: NUMBA_DISABLE_JIT is set, loops run as plain Python"}
    files = [path for path in folder.glob("*.nb[ci]") if path.is_file()]
    return {
        "kept in": str(folder),
        "writable": _writable(folder),
        "files": len(files),
        "MB": round(sum(path.stat().st_size for path in files) / MB, 1),
    }


def _store(where: str) -> dict[str, object]:
    """The store's place, and the disk where it lies or would lie."""
    if "://" in where:
        return {"at": without_secrets(where)}
    folder = Path(where).absolute()
    above = _there(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        "at": str(folder),
        "there": folder.is_dir(),
        "writable": _writable(folder),
        "MB": round(sum(path.stat().st_size for path in files) / MB, 1),
        "free disk, MB": round(shutil.disk_usage(above).free / MB),
    }


def _there(place: Path) -> Path:
    """The place, or the nearest folder above it that is there."""
    return next(one for one in (place, *place.parents) if one.exists())


def _writable(place: Path) -> bool:
    return os.access(_there(place), os.W_OK)


def _in_words(fact: object) -> str:
    if fact is None:
        return "not installed"
    return {True: "yes", False: "no"}[fact] if isinstance(fact, bool) else str(fact)
