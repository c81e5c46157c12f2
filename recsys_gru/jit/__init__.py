"""The one door to numba: compiled once, cached on disk, typed for mypy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

import numba
from numba.core import event
from numba.extending import intrinsic

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
    meaning.
    """
    flags = {"reassoc", "contract", "nsz", "arcp"}
    return cast("F", numba.njit(cache=True, nogil=True, fastmath=flags, error_model="numpy")(function))


def instruction(
    typed: Callable[..., object], plain: Callable[..., None], *, prefer_literal: bool = False
) -> Callable[..., None]:
    """Return a function for kernels to call: `typed` spells out its machine code, `plain` stands in where
    kernels run as plain Python; with `prefer_literal`, `typed` is told the values of constants."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return plain
    return cast("Callable[..., None]", intrinsic(prefer_literal=prefer_literal)(typed))
