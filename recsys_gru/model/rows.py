"""Picking rows from a table, and the gradient of the picked rows: compiled on the CPU, torch elsewhere."""

from dataclasses import dataclass

import torch
from torch import Tensor

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


def score_rows(table: Tensor, bias: Tensor, rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the named rows (R,) of a table (N, D), and their scores (P, R): x @ rows^T + bias, of x (P, D)
    and bias (N, 1).

    Made by kernels, the scores of a row lie side by side, as the table's rows are what all loops go along.
    """
    if not on_kernels(table):
        taken = table.index_select(0, rows)
        return taken, torch.addmm(bias.index_select(0, rows)[:, 0], x, taken.T)
    taken, scores = table.new_empty(rows.shape[0], table.shape[1]), x.new_empty(rows.shape[0], x.shape[0])
    source, place = (table.numpy(), bias.view(-1).numpy(), rows.numpy()), (taken.numpy(), scores.numpy())
    score(source, x.numpy(), place, n_threads())
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
    rows, where they were looked up as well.
    """

    delta: Tensor
    operand: Tensor
    rows: Tensor | None = None
    """(R,) int64, distinct; None: each row of the table, in order."""
    inputs: tuple[Tensor, Tensor] | None = None

    def of_rows(self) -> Tensor:
        """Return the gradient of the rows (R, D)."""
        scored = matmul(self.delta.T, self.operand)  # (U, D)
        if self.rows is None:
            return scored
        whole = scored.new_zeros(self.rows.shape[0], scored.shape[1])
        whole[: scored.shape[0]] = scored
        if self.inputs is not None:
            whole.index_add_(0, *self.inputs)
        return whole

    def of_biases(self) -> Tensor:
        """Return the gradient of the first rows' biases (U,)."""
        return self.delta.sum(0)

    def times(self, factor: float) -> "RowGradient":
        """Return this gradient times a number."""
        inputs = self.inputs and (self.inputs[0], self.inputs[1] * factor)
        return RowGradient(self.delta * factor, self.operand, self.rows, inputs)
