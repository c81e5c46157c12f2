"""The gradients of the published losses as loops over rows, one row in the cache at a time; see
`model/gradients.py`."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import dot, summed
from recsys_gru.kernels.gru import halves_of_exp
from recsys_gru.kernels.machine.jit import in_order, kernel
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.products import transpose

Options = tuple[np.float32, np.float32, np.float32, np.float32]
"""bpreg, elu_param, the tiny number inside the logarithm, and what the gradient is multiplied by."""
LANES = 16
"""Rows that make a part of a loss: whole vectors of them are turned, and whole cache lines, which no two
threads may write at a time, of what lies candidate by candidate."""
Scratch = tuple[Floats, Floats, NDArray[np.int32]]
"""Room for three numbers of each column (U,)."""
Places = tuple[Items, Items]
"""Of each row (P,): the column of its target, and its step."""
Again = tuple[Items, Floats]
"""Of each row the columns of its session's last clicks (P, R), -1 for none, and how often each counts."""
NO_CLICKS: Again = np.empty((0, 0), np.int64), np.empty((0, 0), np.float32)
"""Where a row's own session has no say."""


@kernel
def largest(x: Floats) -> np.float32:
    """Return the largest of x (n,), n > 0; NaN where there is a positive one.

    Floats stand in the order of their bits, once those of negative numbers are turned round. A maximum of
    integers runs in vector registers, one of floats does not, as it has to mind NaN.

    Twin: `max`, tests/kernels/test_losses.py::test_the_largest_of_a_row_is_found.
    """
    bits, top = x.view(np.int32), np.full(1, -(2**31), np.int32)
    best, turned = top[0], np.int32(2**31 - 1)
    for j in range(len(bits)):
        best = max(best, bits[j] ^ ((bits[j] >> np.int32(31)) & turned))
    top[0] = best ^ ((best >> np.int32(31)) & turned)
    found: np.float32 = top.view(np.float32)[0]
    return found


@kernel
def _put(again: Again, i: int, drawn: Floats) -> None:
    """Let the last clicks of row i count as often as they are to, in place of their draws (U,)."""
    columns, counts = again
    for d in range(columns.shape[1]):
        if columns[i, d] >= 0:
            drawn[columns[i, d]] = counts[i, d]


@kernel
def _take_back(again: Again, i: int, drawn: Floats, weights: Floats) -> None:
    for column in again[0][i]:
        if column >= 0:
            drawn[column] = weights[column]


@kernel
def _cross_entropy_part(
    state: tuple[Floats, Places, Floats, Again, np.float32, Floats, Floats], part: int
) -> None:
    scores, (targets, steps), weights, again, share, log_z, own = state
    first, last = part * LANES, min(part * LANES + LANES, scores.shape[1])
    rows, bits = np.empty((last - first, len(scores)), np.float32), np.empty(len(scores), np.int32)
    powers, width = bits.view(np.float32), len(scores)
    drawn, step = weights[0], -1
    transpose(scores[:, first:last], rows)
    for i in range(first, last):
        row = rows[i - first]
        if steps[i] != step:
            step = steps[i]
            drawn = weights[step].copy() if again[0].shape[1] else weights[step]
        if again[0].shape[1]:
            _put(again, i, drawn)
        own[i] = row[targets[i]]
        top = largest(row)
        halves_of_exp(row, top, bits)
        total = np.float32(0)
        for j in range(width):
            row[j] *= powers[j] * drawn[j]
            total += row[j]
        part_of_all = share / total
        for j in range(width):
            row[j] *= part_of_all
        row[targets[i]] -= share
        log_z[i] = top + np.log(total)
        if again[0].shape[1]:
            _take_back(again, i, drawn, weights[step])
    transpose(rows, scores[:, first:last])


@kernel
def weigh(scores: Floats, worth: Floats) -> None:
    """Multiply the columns of the gradient of scores (U, P) by what each target counts (P,).

    Twin: NumPy, tests/kernels/test_losses.py::test_columns_are_multiplied_by_what_targets_count.
    """
    for u in range(len(scores)):
        row = scores[u]
        for i in range(len(worth)):
            row[i] *= worth[i]


@kernel
def cross_entropy_rows(
    scores: Floats, places: Places, weights: Floats, again: Again, share: np.float32, threads: int
) -> tuple[Floats, Floats]:
    """Return log Z and the target's score of each row (P,), and overwrite the scores (U, P) by `share` times
    (softmax - target).

    log Z = log sum_j weights_j exp(r_j), weights (T, U) those of the row's step, but for those of `again`; a
    row's loss in `model.losses.cross_entropy` is log Z less the target's score, but for logQ of the target.

    Twin: automatic differentiation, tests/kernels/test_losses.py::test_cross_entropy_is_that_of_its_formula.
    """
    lanes = scores.shape[1]
    log_z, own = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    state = (scores, places, weights, again, share, log_z, own)
    share_out(_cross_entropy_part, state, -(-lanes // LANES), threads)
    return log_z, own


@kernel
def _bend(r: Floats, a: np.float32, e: Floats, bits: NDArray[np.int32]) -> None:
    """Let the scores r (U,) pass an ELU of parameter a; e and bits (U,) are scratch."""
    zero, one, powers = np.float32(0), np.float32(1), bits.view(np.float32)
    for j in range(len(r)):
        e[j] = r[j]
    halves_of_exp(e, zero, bits)
    for j in range(len(r)):
        r[j] = r[j] if r[j] > zero else a * (e[j] * powers[j] - one)


@in_order
def _bpr_max_row(r: Floats, weights: Floats, target: int, options: Options, scratch: Scratch) -> np.float32:
    """Return a row's BPR-max loss and overwrite its scores r (U,) by its gradient, times a factor.

    `weights` (U,) is how often each column counts as a negative; they are overwritten by the softmax s over
    them. With g_j = bpreg r_j^2 - won_j / A, where won_j = sigmoid(y - r_j) and A = sum_j s_j won_j, the
    gradient is s_j (g_j - sum_k s_k g_k + won_j (1 - won_j) / A + 2 bpreg r_j), and the target's takes back
    what the sigmoids gave.
    """
    bpreg, a, tiny, factor = options
    e, won, bits = scratch
    powers = bits.view(np.float32)
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    edge = zero if a > zero else np.float32(-np.inf)  # below it the ELU bends
    if a > zero:
        _bend(r, a, e, bits)
    for j in range(len(r)):
        e[j] = r[j] if weights[j] > zero else np.float32(-3e38)
    y, top = r[target], largest(e)
    for j in range(len(r)):
        e[j] = min(r[j] - top, zero)
    halves_of_exp(e, zero, bits)
    for j in range(len(r)):
        e[j] *= powers[j]
        weights[j] *= e[j]
    total = summed(weights)
    share = one / total if total > zero else zero
    lift = np.exp(min(max(top - y, np.float32(-80)), np.float32(80)))
    for j in range(len(r)):
        weights[j] *= share
        won[j] = one / (one + e[j] * lift)
        e[j] = weights[j] * r[j]
    wins, penalty = dot(weights, won), dot(e, r)
    inverse = one / (wins + tiny)
    mean = bpreg * penalty - wins * inverse
    for j in range(len(r)):
        e[j] = weights[j] * won[j] * (one - won[j]) * inverse
        pull = bpreg * r[j] * r[j] - won[j] * inverse - mean + two * bpreg * r[j]
        won[j] = e[j] + weights[j] * pull
    won[target] -= summed(e)
    for j in range(len(r)):
        r[j] = factor * won[j] * (r[j] + a if r[j] < edge else one)
    loss: np.float32 = bpreg * penalty - np.log(wins + tiny)
    return loss


@kernel
def _bpr_max_part(state: tuple[Floats, Places, Floats, Floats, Again, Options, Floats], part: int) -> None:
    scores, (targets, steps), counts, own, again, options, losses = state
    first, last, width = part * LANES, min(part * LANES + LANES, scores.shape[1]), len(scores)
    rows, weights = np.empty((last - first, width), np.float32), np.empty(width, np.float32)
    scratch = (np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.int32))
    transpose(scores[:, first:last], rows)
    for i in range(first, last):
        drawn = counts[steps[i]]
        for j in range(width):  # not weights[:] = drawn, which is four times as slow
            weights[j] = drawn[j]
        if again[0].shape[1]:
            _put(again, i, weights)
        weights[targets[i]] = own[i] - np.float32(1)
        losses[i] = _bpr_max_row(rows[i - first], weights, targets[i], options, scratch)
    transpose(rows, scores[:, first:last])


@kernel
def bpr_max_rows(
    scores: Floats,
    places: Places,
    counts: Floats,
    own: Floats,
    again: Again,
    options: Options,
    threads: int,
) -> Floats:
    """Return BPR-max of each row (P,), -log(sum_j s_j sigmoid(y - r_j) + tiny) + bpreg sum_j s_j r_j^2 with s
    the softmax over the negatives, and overwrite the scores (U, P) by its gradient: `model.losses.bpr_max`.

    `counts` (T, U) is how often each column counts in a step, but for `again`, `own` (P,) how often a row's
    own target does, its own place included.

    Twin: an oracle in double, tests/kernels/test_losses.py::test_bpr_max_is_that_of_its_formula.
    """
    lanes = scores.shape[1]
    losses = np.empty(lanes, np.float32)
    state = (scores, places, counts, own, again, options, losses)
    share_out(_bpr_max_part, state, -(-lanes // LANES), threads)
    return losses
