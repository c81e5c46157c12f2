"""Picking rows from a table, and the gradient of the picked rows: compiled on the CPU, torch elsewhere."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from recsys_gru.kernels.cosines import LEAST, across_each, directions
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.products import matmul, on_kernels
from recsys_gru.kernels.rows import score, take


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Return the named rows (R,) of a table (N, D)."""
    if not on_kernels(table):
        return table.index_select(0, rows)
    out = table.new_empty(rows.shape[0], table.shape[1])
    take(table.numpy(), rows.numpy(), out.numpy())
    return out


def stretched(rows: Tensor, length: float, out: Tensor | None = None) -> Tensor:
    """Return rows (R, D), each stretched to this length: what a cosine score multiplies; 0: as they are.
    Where kernels do it, in the memory of `out` (R, D) if that is given."""
    if not length:
        return rows
    if not on_kernels(rows):
        return length * normalize(rows, dim=1, eps=float(LEAST) ** 0.5)
    out = rows.new_empty(rows.shape) if out is None else out
    directions(rows.numpy(), np.float32(length), out.numpy())
    return out


def through_stretched(gradient: Tensor, rows: Tensor, length: float) -> Tensor:
    """Return the gradient of rows (R, D), given that of `stretched(rows, length)`, which it may overwrite."""
    if not length:
        return gradient
    if on_kernels(rows):
        across_each(gradient.numpy(), rows.numpy(), np.float32(length))
        return gradient
    with torch.enable_grad():
        leaf = rows.detach().requires_grad_()
        (found,) = torch.autograd.grad(stretched(leaf, length), leaf, gradient)
    return found


def score_rows(
    table: Tensor, bias: Tensor, rows: Tensor, x: Tensor, length: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return the named rows (R,) of a table (N, D), stretched to `length` unless it is 0, and their scores
    (P, R): x @ rows^T + bias, of x (P, D) and bias (N, 1).

    Made by kernels, the scores of a row lie side by side, as the table's rows are what all loops go along.
    """
    if not on_kernels(table):
        taken = stretched(table.index_select(0, rows), length)
        return taken, torch.addmm(bias.index_select(0, rows)[:, 0], x, taken.T)
    taken, scores = table.new_empty(rows.shape[0], table.shape[1]), x.new_empty(rows.shape[0], x.shape[0])
    source, place = (table.numpy(), bias.view(-1).numpy(), rows.numpy()), (taken.numpy(), scores.numpy())
    score(source, x.numpy(), place, np.float32(length), n_threads())
    return taken, scores.T


def appended(table: Tensor, rows: Tensor) -> Tensor:
    """Return a table (N, ...) with more rows (M, ...) after its own.

    Where the table's storage has room behind it, only the new rows are written, into the same storage; else
    the rows move once into a storage with a quarter more room. What was a view of the old rows stays one.

    >>> table = appended(torch.zeros(4, 2), torch.ones(1, 2))
    >>> more = appended(table, torch.ones(1, 2))
    >>> more.shape, more.data_ptr() == table.data_ptr()
    (torch.Size([6, 2]), True)
    """
    n, width = len(table), table.shape[1:].numel()
    need = (n + len(rows)) * width
    room = table.untyped_storage().nbytes() // table.element_size()
    if table.storage_offset() or not table.is_contiguous() or room < need:
        spare = table.new_empty(need + need // 4)
        spare[: n * width] = table.reshape(-1)
        table = spare
    shape = torch.Size((n + len(rows), *rows.shape[1:]))
    strides = (*(shape[i + 1 :].numel() for i in range(len(shape))),)
    whole: Tensor = table.new_empty(0).set_(table.untyped_storage(), 0, shape, strides)
    whole[n:] = rows
    return whole


@dataclass(frozen=True)
class RowGradient:
    """The gradient of rows (R,) of a table and of their biases, as the factors it is the product of.

    The first U rows have the gradient delta^T operand, of delta (P, U) and operand (P, D), and their biases
    the sum of delta over P; the other rows have none. `inputs` adds rows (Q, D) at places (Q,) among these
    rows, where they were looked up as well; -1 is nowhere. Where the rows had been stretched to `length` when
    they were scored, delta^T operand is the gradient of what they became.
    """

    delta: Tensor
    operand: Tensor
    rows: Tensor | None = None
    """(R,) int64, distinct; None: each row of the table, in order."""
    inputs: tuple[Tensor, Tensor] | None = None
    length: float = 0.0

    @classmethod
    def of_each(cls, gradient: Tensor, rows: Tensor) -> "RowGradient":
        """Return the gradient (R, D) of some rows (R,), which is no product of factors."""
        places = torch.arange(len(rows), device=rows.device)
        return cls(gradient.new_empty(0, 0), gradient[:0], rows, (places, gradient))

    def of_rows(self, table: Tensor) -> Tensor:
        """Return the gradient of the rows (R, D) of this table (N, D)."""
        scored = matmul(self.delta.T, self.operand)  # (U, D)
        if self.rows is None:
            return scored
        if self.length:
            picked = take_rows(table, self.rows[: len(scored)])
            scored = through_stretched(scored, picked, self.length)
        whole = scored.new_zeros(self.rows.shape[0], scored.shape[1])
        whole[: scored.shape[0]] = scored
        if self.inputs is not None:
            at, added = self.inputs
            whole.index_add_(0, at[at >= 0], added[at >= 0])
        return whole

    def of_biases(self) -> Tensor:
        """Return the gradient of the first rows' biases (U,)."""
        return self.delta.sum(0)

    def times(self, factor: float) -> "RowGradient":
        """Return this gradient times a number."""
        inputs = self.inputs and (self.inputs[0], self.inputs[1] * factor)
        return replace(self, delta=self.delta * factor, inputs=inputs)
