"""The loops that NumPy and torch cannot express as one pass over memory, compiled by numba."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.jit import kernel

Items = NDArray[np.int64]
Floats = NDArray[np.float32] | NDArray[np.float64]


@kernel
def distinct(
    places: tuple[Items, Items, Items],
    slots: NDArray[np.int32],
    rows: Items,
    drawn: NDArray[np.float64],
    at: Items,
) -> tuple[int, int]:
    """Number the distinct items among (targets, samples, inputs): candidates first, mere inputs last.

    Fills `rows` (the items), `drawn` (2, rows) (how often each is a target, a sample) and `at` (the row of
    each
    target, then of each input). `slots` (N,) holds -1 everywhere before and after. Returns how many
    candidates,
    and how many rows in all.
    """
    targets, samples, inputs = places
    used = 0
    for i in range(len(targets)):
        item = targets[i]
        if slots[item] < 0:
            slots[item] = used
            rows[used] = item
            drawn[0, used] = 0.0
            drawn[1, used] = 0.0
            used += 1
        drawn[0, slots[item]] += 1.0
        at[i] = slots[item]
    for item in samples:
        if slots[item] < 0:
            slots[item] = used
            rows[used] = item
            drawn[0, used] = 0.0
            drawn[1, used] = 0.0
            used += 1
        drawn[1, slots[item]] += 1.0
    candidates = used
    for i in range(len(inputs)):
        item = inputs[i]
        if slots[item] < 0:
            slots[item] = used
            rows[used] = item
            used += 1
        at[len(targets) + i] = slots[item]
    for row in range(used):
        slots[rows[row]] = -1
    return candidates, used


@kernel
def weigh(
    drawn: NDArray[np.float64],
    items: Items,
    weights: NDArray[np.float64],
    counts: Floats,
    log_weights: Floats,
) -> None:
    """Fill, per candidate (U,), how often it was drawn and the log of the summed `weights` (2, N) of those
    draws."""
    for u in range(len(items)):
        counts[u] = drawn[0, u] + drawn[1, u]
        log_weights[u] = np.log(drawn[0, u] * weights[0, items[u]] + drawn[1, u] * weights[1, items[u]])


@kernel
def adagrad_rows(
    memory: tuple[Floats, Floats, Floats], rows: Items, gradient: Floats, rates: tuple[float, float, float]
) -> None:
    """acc += g^2; v = momentum v - rate g / sqrt(acc + eps); w += v, on the named rows only and in one pass.

    `memory` is (w, acc, v), each (N, D); `gradient` is (R, D); `rates` is (rate, momentum, eps). v is not
    read or written
    without momentum.
    """
    weights, sums, velocity = memory
    rate, momentum, eps = rates
    for i in range(len(rows)):
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


@kernel
def alias_table(
    probabilities: NDArray[np.float64], share: NDArray[np.float64], other: NDArray[np.int32]
) -> None:
    """Fill the alias table of a distribution (Vose 1991): column i is item i with probability share[i], else
    other[i]."""
    n = len(probabilities)
    small, large = np.empty(n, np.int64), np.empty(n, np.int64)
    n_small, n_large = 0, 0
    for i in range(n):
        share[i] = probabilities[i] * n
        other[i] = i
        if share[i] < 1.0:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small > 0 and n_large > 0:
        low, high = small[n_small - 1], large[n_large - 1]
        other[low] = high
        share[high] -= 1.0 - share[low]
        n_small -= 1
        if share[high] < 1.0:
            n_large -= 1
            small[n_small] = high
            n_small += 1
    for i in range(n_small):  # what rounding left over is as good as certain
        share[small[i]] = 1.0
    for i in range(n_large):
        share[large[i]] = 1.0


@kernel
def alias_draw(
    uniform: NDArray[np.float64], share: NDArray[np.float64], other: NDArray[np.int32], drawn: Items
) -> None:
    """Turn uniform numbers in [0, 1) into items: the whole part picks a column, the rest decides item or
    alias."""
    n = len(share)
    for i in range(len(uniform)):
        scaled = uniform[i] * n
        column = int(scaled)
        drawn[i] = column if scaled - column < share[column] else other[column]


@kernel
def gru_backward(
    d_state: Floats,
    memory: tuple[Floats, Floats, Floats, Floats, Floats],
    d_gates: tuple[Floats, Floats],
    kept: Floats,
) -> None:
    """Fill the gradients of a GRU step's gates, input side and recurrent side (L, 3H), and of the state that
    went round.

    `memory` is (state, r, z, n, inner), each (L, H); formulas: `cells.GRU`.
    """
    state, reset, update, candidate, inner = memory
    d_gx, d_gh = d_gates
    units = state.shape[1]
    for i in range(len(state)):
        for j in range(units):
            r, z, n = reset[i, j], update[i, j], candidate[i, j]
            keep = d_state[i, j] * z
            dn = (d_state[i, j] - keep) * (1 - n * n)
            dr = dn * inner[i, j] * (r - r * r)
            dz = (state[i, j] - n) * keep * (1 - z)
            kept[i, j] = keep
            d_gx[i, j] = dr
            d_gh[i, j] = dr
            d_gx[i, units + j] = dz
            d_gh[i, units + j] = dz
            d_gx[i, 2 * units + j] = dn
            d_gh[i, 2 * units + j] = dn * r
