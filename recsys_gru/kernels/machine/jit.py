"""The one door to numba: compiled once, cached on disk, typed for mypy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event
from numba.extending import intrinsic

from recsys_gru.kernels.machine.libraries import Compiler

F = TypeVar("F", bound=Callable[..., object])


class Compilation(event.TimingListener):
    """How long kernels have been compiled."""

    @property
    def seconds(self) -> float:
        """So far; those found on disk cost none."""
        return float(self.duration) if self.done else 0.0


@contextmanager
def compilation() -> Iterator[Compilation]:
    """Take the time of all compiling until the end."""
    listener = Compilation()  # type: ignore[no-untyped-call]
    with event.install_listener("numba:compile", listener):
        yield listener


def kernel(function: F) -> F:
    """Compile a loop over NumPy arrays to machine code; the interpreter lock is released while it runs.

    Floating-point sums may be reordered so that loops use vector registers, NaN and infinity keep their
    meaning. The machine code is kept on disk until the file changes that the loop is in, or one that what it
    calls is in.
    """
    return _compiled(function, {"reassoc", "contract", "nsz", "arcp"})


def in_order(function: F) -> F:
    """As `kernel`, but every sum is added up as it is written, so that it has the same bits in whatever other
    loop it is compiled into."""
    return _compiled(function, set())


def _compiled(function: F, flags: set[str]) -> F:
    kept = numba.njit(cache=True, pipeline_class=Compiler, nogil=True, fastmath=flags, error_model="numpy")
    compiled = kept(function)
    if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        _watch_what_is_called(compiled)
    return cast("F", compiled)


def kept_in(loop: Any) -> Path | None:  # noqa: ANN401
    """The folder where the machine code of a loop is kept: beside its file where that can be written, else
    the user's; None where nothing is compiled."""
    cache = getattr(loop, "_cache", None)
    return None if cache is None else Path(cache.cache_path)


def _watch_what_is_called(compiled: Any) -> None:  # noqa: ANN401 - numba's objects have no types
    """Set what tells whether the machine code on disk is of today's files.

    numba watches a function's own file alone, though it compiles what is called into the caller.
    """
    function = compiled.py_func
    called = (function.__globals__.get(name) for name in function.__code__.co_names)
    compiled.files = _file_of(function).union(*(getattr(one, "files", ()) for one in called))
    states = [(file.name, file.stat()) for file in sorted(compiled.files)]
    compiled._cache._cache_file._source_stamp = [(name, at.st_mtime, at.st_size) for name, at in states]


def _file_of(function: Any) -> set[Path]:  # noqa: ANN401
    """The file that a function is written in, unless it lies in an archive."""
    file = Path(function.__code__.co_filename)
    return {file} if file.exists() else set()


def instruction(typed: Callable[..., object], plain: F, *, prefer_literal: bool = False) -> F:
    """Return a function for kernels to call: `typed` spells out its machine code, `plain` stands in where
    kernels run as plain Python; with `prefer_literal`, `typed` is told the values of constants."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return plain
    made: Any = intrinsic(prefer_literal=prefer_literal)(typed)
    made.files = _file_of(typed)
    return cast("F", made)
