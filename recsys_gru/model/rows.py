"""Picking rows from a table, and the gradient of the picked rows: compiled on the CPU, torch elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys_gru.model.row_kernels import add_rows, take

TILE = 256 * 1024
"""Numbers in a tile of a gradient: a wide table's gradient is never whole in memory."""


def on_kernels(values: Tensor) -> bool:
    """Whether the compiled loops serve these values: single precision on the CPU."""
    return values.dtype == torch.float32 and values.device.type == "cpu"


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Return the named rows (R,) of a table (N, D)."""
    if not on_kernels(table):
        return table.index_select(0, rows)
    out = table.new_empty(rows.shape[0], table.shape[1])
    take(table.numpy(), rows.numpy(), out.numpy())
    return out


@dataclass(frozen=True)
class RowGradient:
    """The gradient of the named rows (R,) of a table, as the factors it is the product of.

    The first U rows have the gradient delta^T operand, of delta (P, U) and operand (P, D); the others have
    none. `inputs` adds rows (P, D) at places (P,) among the named rows, where these were looked up as well.
    """

    rows: Tensor
    delta: Tensor
    operand: Tensor
    inputs: tuple[Tensor, Tensor] | None = None

    def tiles(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield rows (R,) and their gradient (R, D), some rows at a time; a tile is overwritten by the next
        one."""
        n_rows, width = self.rows.shape[0], self.operand.shape[1]
        height = min(n_rows, max(1, TILE // width))
        buffer = self.operand.new_empty(height, width)
        for begin in range(0, n_rows, height):
            rows = self.rows[begin : begin + height]
            tile = buffer[: rows.shape[0]]
            scored = self.delta[:, begin : begin + height]
            torch.mm(scored.T, self.operand, out=tile[: scored.shape[1]])
            tile[scored.shape[1] :] = 0
            if self.inputs is not None:
                _add_inside(tile, begin, *self.inputs)
            yield rows, tile


def _add_inside(tile: Tensor, first: int, at: Tensor, parts: Tensor) -> None:
    """Add parts (P, D) to the rows at (P,), those of them that lie in the tile, which begins at `first`."""
    if on_kernels(tile):
        add_rows(tile.numpy(), first, at.numpy(), parts.numpy())
        return
    inside = (at >= first) & (at < first + tile.shape[0])
    tile.index_add_(0, at[inside] - first, parts[inside])
