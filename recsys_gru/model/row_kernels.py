"""Loops over the rows that a step picks from the item tables; a row is fetched while those before it are at
work."""

import numpy as np

from recsys_gru.jit import kernel
from recsys_gru.model.kernels import Floats, Items
from recsys_gru.model.prefetch import prefetch

Rates = tuple[np.float32, np.float32, np.float32]
Memory = tuple[Floats, Floats, Floats]
AHEAD = 28
"""Cache lines between what is at work and what is asked for: as many as a core can wait for at a time."""
LINE = 16
"""Single-precision numbers in a cache line."""


@kernel
def _rows_ahead(width: int) -> int:
    """Return how many rows of so many numbers lie in AHEAD cache lines, at least one."""
    return max(1, AHEAD * LINE // max(width, LINE))


@kernel
def take(table: Floats, rows: Items, out: Floats) -> None:
    """Copy the named rows (R,) of a table (N, D) into `out` (R, D)."""
    ahead = _rows_ahead(table.shape[1])
    for i in range(len(rows)):
        if i + ahead < len(rows):
            for j in range(0, table.shape[1], LINE):
                prefetch(table, rows[i + ahead], j)
        row, copy = table[rows[i]], out[i]
        for j in range(len(copy)):
            copy[j] = row[j]


@kernel
def add_rows(gradient: Floats, first: int, at: Items, parts: Floats) -> None:
    """Add parts[p] (P, D) to the gradient of row at[p], for those of the rows that begin at `first`."""
    for p in range(len(at)):
        if first <= at[p] < first + len(gradient):
            row, part = gradient[at[p] - first], parts[p]
            for j in range(len(row)):
                row[j] += part[j]


@kernel
def adagrad_rows(memory: Memory, rows: Items, gradient: Floats, rates: Rates) -> None:
    """acc += g^2; v = momentum v - rate g / sqrt(acc + eps); w += v, on the named rows only and in one pass.

    `memory` is (w, acc, v), each (N, D); `gradient` is (R, D); `rates` is (rate, momentum, eps). v is not
    read or written without momentum.
    """
    weights, sums, velocity = memory
    rate, momentum, eps = rates
    ahead = _rows_ahead(weights.shape[1])
    for i in range(len(rows)):
        if i + ahead < len(rows):
            for j in range(0, weights.shape[1], LINE):
                prefetch(weights, rows[i + ahead], j)
                prefetch(sums, rows[i + ahead], j)
        w = weights[rows[i]]
        acc = sums[rows[i]]
        g = gradient[i]
        if momentum > 0:
            v = velocity[rows[i]]
            for j in range(len(w)):
                acc[j] += g[j] * g[j]
                v[j] = momentum * v[j] - rate * g[j] / np.sqrt(acc[j] + eps)
                w[j] += v[j]
        else:
            for j in range(len(w)):
                acc[j] += g[j] * g[j]
                w[j] -= rate * g[j] / np.sqrt(acc[j] + eps)
