"""What answers need of the item table beside the table itself: made when first asked for, forgotten while it
changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from recsys_gru.kernels.coarse import Coarse, coarse_of
from recsys_gru.kernels.products import on_kernels
from recsys_gru.model.rows import stretched


class Copies:
    """Copies of one table, which is told each time that they are asked for."""

    def __init__(self) -> None:
        self._stretched: Tensor | None = None
        self._coarse: Coarse | None = None
        self._changes = False

    def stretched(self, table: Tensor, length: float) -> Tensor:
        """Return the table's rows, each of this length; the table itself where that is 0."""
        if not length or self._changes:
            return stretched(table, length)
        if self._stretched is None:
            self._stretched = stretched(table, length)
        return self._stretched

    def coarse(self, table: Tensor) -> Coarse | None:
        """Return the coarse copy of what items are scored by; None where there is none, or no use for it."""
        if self._changes or not on_kernels(table):
            return None
        if self._coarse is None:
            self._coarse = coarse_of(table.numpy())
        return self._coarse

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Forget the copies, and keep none meanwhile."""
        self._stretched, self._coarse, self._changes = None, None, True
        try:
            yield
        finally:
            self._changes = False
