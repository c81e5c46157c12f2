"""The loops that NumPy and torch cannot express as one pass over memory, compiled by numba."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.jit import kernel

Items = NDArray[np.int64]
Floats = NDArray[np.float32] | NDArray[np.float64]
Options = tuple[np.float32, np.float32, np.float32]
"""bpreg, elu_param, and the tiny number inside the logarithm."""
Scratch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


@kernel
def distinct(
    places: tuple[Items, Items, Items],
    slots: NDArray[np.int32],
    rows: Items,
    drawn: NDArray[np.float64],
    at: Items,
) -> tuple[int, int]:
    """Number the distinct items among (targets, samples, inputs): candidates first, items that are only input
    last.

    Fills `rows` (the items), `drawn` (2, rows) (how often each is a target, a sample) and `at` (the row of
    each target,
    then of each input). `slots` (N,) holds -1 everywhere before and after. Returns how many candidates, and
    rows in all.
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
def exponentials(x: NDArray[np.float32], bits: NDArray[np.int32]) -> None:
    """Overwrite x (n,) by e^x to within 1e-6 of its value, all lanes of a vector register at once; `bits` is
    scratch.

    e^x = 2^n e^r with |r| <= ln(2) / 2; e^r is a polynomial, and 2^n the bits of a float's exponent. numba
    has no
    vector form of np.exp, which is most of a loss's time.
    """
    one, half = np.float32(1), np.float32(0.5)
    for j in range(len(x)):
        v = min(max(x[j], np.float32(-87)), np.float32(88))
        n = np.floor(v * np.float32(1.4426950408889634) + half)
        r = v - n * np.float32(0.6931471805599453)
        p = np.float32(1 / 5040) * r + np.float32(1 / 720)
        p = p * r + np.float32(1 / 120)
        p = p * r + np.float32(1 / 24)
        p = p * r + np.float32(1 / 6)
        p = p * r + half
        p = p * r + one
        x[j] = p * r + one
        bits[j] = (np.int32(n) + np.int32(127)) << np.int32(23)
    powers = bits.view(np.float32)
    for j in range(len(x)):
        x[j] *= powers[j]


@kernel
def cross_entropy_rows(
    scores: NDArray[np.float32], targets: Items, log_weights: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return log Z and the target's score of each row (P,), and overwrite the scores (P, U) by softmax -
    target.

    The softmax is that of scores + log_weights, log Z the logarithm of its denominator.
    """
    width = scores.shape[1]
    log_z, own = np.empty(len(scores), np.float32), np.empty(len(scores), np.float32)
    bits = np.empty(width, np.int32)
    for i in range(len(scores)):
        row = scores[i]
        own[i] = row[targets[i]]
        top = np.float32(-3e38)
        for j in range(width):
            row[j] += log_weights[j]
            top = max(top, row[j])
        for j in range(width):
            row[j] -= top
        exponentials(row, bits)
        total = np.float32(0)
        for j in range(width):
            total += row[j]
        share = np.float32(1) / total
        for j in range(width):
            row[j] *= share
        row[targets[i]] -= np.float32(1)
        log_z[i] = top + np.log(total)
    return log_z, own


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


@kernel
def bpr_max_row(
    r: NDArray[np.float32], weights: NDArray[np.float32], target: int, options: Options, scratch: Scratch
) -> np.float32:
    """Return a row's BPR-max loss and overwrite its scores r (U,) by its gradient; formula: `losses.bpr_max`.

    `weights` (U,) is how often each column counts as a negative; they are overwritten by the softmax s over
    them.
    With g_j = bpreg r_j^2 - won_j / A, where won_j = sigmoid(y - r_j) and A = sum_j s_j won_j, the gradient
    is
    s_j (g_j - sum_k s_k g_k + won_j (1 - won_j) / A + 2 bpreg r_j), and the target's takes back what the
    sigmoids gave.
    """
    bpreg, a, tiny = options
    e, won, bits = scratch
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    if a > zero:
        e[:] = r
        exponentials(e, bits)
        for j in range(len(r)):
            r[j] = r[j] if r[j] > zero else a * (e[j] - one)
    y, top = r[target], np.float32(-3e38)
    for j in range(len(r)):
        top = max(top, r[j] if weights[j] > zero else np.float32(-3e38))
    for j in range(len(r)):
        e[j] = min(r[j] - top, zero)
    exponentials(e, bits)
    total = zero
    for j in range(len(r)):
        weights[j] *= e[j]
        total += weights[j]
    share = one / total if total > zero else zero
    lift = np.exp(min(max(top - y, np.float32(-80)), np.float32(80)))
    wins, penalty = zero, zero
    for j in range(len(r)):
        weights[j] *= share
        won[j] = one / (one + e[j] * lift)
        wins += weights[j] * won[j]
        penalty += weights[j] * r[j] * r[j]
    inverse = one / (wins + tiny)
    mean, given = bpreg * penalty - wins * inverse, zero
    for j in range(len(r)):
        slope = weights[j] * won[j] * (one - won[j]) * inverse
        given += slope
        pull = bpreg * r[j] * r[j] - won[j] * inverse - mean + two * bpreg * r[j]
        won[j] = slope + weights[j] * pull
    won[target] -= given
    for j in range(len(r)):
        r[j] = won[j] * (one if a == zero or r[j] > zero else r[j] + a)
    loss: np.float32 = bpreg * penalty - np.log(wins + tiny)
    return loss


@kernel
def bpr_max_rows(
    scores: NDArray[np.float32],
    targets: Items,
    counts: NDArray[np.float32],
    own: NDArray[np.float32],
    options: Options,
) -> NDArray[np.float32]:
    """Return BPR-max of each row (P,) and overwrite the scores (P, U) by its gradient, one row in the cache
    at a time.

    `counts` (U,) is how often each column counts, `own` (P,) how often a row's own target does, its own place
    included.
    """
    losses = np.empty(len(scores), np.float32)
    width = scores.shape[1]
    weights, bits = np.empty(width, np.float32), np.empty(width, np.int32)
    scratch = (np.empty(width, np.float32), np.empty(width, np.float32), bits)
    for i in range(len(scores)):
        weights[:] = counts
        weights[targets[i]] = own[i] - np.float32(1)
        losses[i] = bpr_max_row(scores[i], weights, targets[i], options, scratch)
    return losses
