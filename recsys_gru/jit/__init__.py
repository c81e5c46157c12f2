"""The one door to numba: compiled once, cached on disk, typed for mypy."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a loop over NumPy arrays to machine code; the interpreter lock is released while it runs.

    Floating-point sums may be reordered so that loops use vector registers, NaN and infinity keep their
    meaning.
    """
    flags = {"reassoc", "contract", "nsz", "arcp"}
    return cast("F", numba.njit(cache=True, nogil=True, fastmath=flags, error_model="numpy")(function))
