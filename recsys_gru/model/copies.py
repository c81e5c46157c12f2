"""What answers need of the item tables beside the tables themselves: made when first asked for, forgotten
while they change. Their memory is kept for the next ones: new memory costs more than what is written to it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from recsys_gru.kernels.coarse import Coarse, coarse_of, width_of
from recsys_gru.kernels.products import on_kernels
from recsys_gru.model.rows import stretched

SPARE = 8
"""Memory is taken for one row in so many more, as catalogues grow."""
_MAKING = threading.RLock()
"""Held while copies are made: threads that ask for the same one at once wait for the first."""


class Copies:
    """Copies of the table that is scored by, which is told each time that they are asked for; and of tables
    with the items' facts in their rows."""

    def __init__(self) -> None:
        self._composed: dict[str, Tensor] = {}
        self._stretched: Tensor | None = None
        self._coarse: Coarse | None = None
        self._lent: dict[str, Tensor] = {}
        self._free: dict[str, Tensor] = {}
        self._changes = False

    def composed(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Return a table with facts in its rows, made once."""
        with _MAKING:
            if name in self._composed:
                return self._composed[name]
            table = make()
            if not self._changes:
                self._composed[name] = table
            return table

    @property
    def kept(self) -> bool:
        """Whether copies are kept now."""
        return not self._changes

    def stretched(self, table: Tensor, length: float) -> Tensor:
        """Return the table's rows, each of this length; the table itself where that is 0."""
        if not length or self._changes:
            return stretched(table, length)
        with _MAKING:
            if self._stretched is None:
                room = self._memory("stretched", table, table.shape[1]) if on_kernels(table) else None
                self._stretched = stretched(table, length, room)
            return self._stretched

    def coarse(self, table: Tensor, bias: Tensor) -> Coarse | None:
        """Return the coarse copy of what items are scored by, rows (N, H) and biases (N, 1); None where there
        is none, or no use for it."""
        if self._changes or not on_kernels(table):
            return None
        with _MAKING:
            if self._coarse is None:
                rows = self._memory("coarse", table, width_of(table.numpy()), torch.int8)
                self._coarse = coarse_of(table.numpy(), bias.numpy(), rows.numpy())
            return self._coarse

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Forget the copies, and keep none meanwhile."""
        self._forget()
        self._changes = True
        try:
            yield
        finally:
            self._changes = False

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Keep copies meanwhile, in the midst of changes; and forget them."""
        changes, self._changes = self._changes, False
        try:
            yield
        finally:
            self._forget()
            self._changes = changes

    def _forget(self) -> None:
        self._composed, self._stretched, self._coarse = {}, None, None
        self._free, self._lent = self._free | self._lent, {}

    def _memory(self, name: str, table: Tensor, width: int, kind: torch.dtype | None = None) -> Tensor:
        """Room for as many rows of so many columns as a table has, which nobody else is given meanwhile."""
        room = self._free.pop(name, None)
        if room is None or len(room) < len(table):
            room = table.new_empty(len(table) + len(table) // SPARE, width, dtype=kind)
        self._lent[name] = room
        return room[: len(table)]
