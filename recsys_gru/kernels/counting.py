"""How many items score above a bound of each of several hidden states, and how many as much as it.

Products of whole numbers of two bytes tell it of nearly all items, to a known error; those that are too near
to the bound are scored exactly, so the counts are the exact ones. Rows are rounded to whole numbers when they
are read: for some dozen states that takes little of the time.
"""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.machine.bytes import LANES, TALL
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.threads import share_out
from recsys_gru.kernels.machine.words import TWO, word_sides
from recsys_gru.kernels.products import product

NORM = 32_000
"""A row's norm, in steps: each number and the sum of its products with another row fit."""
LEAST, MOST = 1e-15, 1e9
"""A norm is taken to be no less; one that is not below the latter leaves all to others."""
LOST = 1e-28
"""More than a score loses where numbers are too small to be told from zero."""
PIECE = 1024
"""Items that make a part of the work: their rows stay in the cache while all states are multiplied with
them."""
Words = NDArray[np.int16]
Facts = tuple[Floats, Floats, Floats]
"""Of each row the size of a step, its norm, and how far it is from its whole steps at most."""
Bounds = tuple[Floats, Floats, Floats]
"""See `machine.words.word_sides`."""
State = tuple[Floats, Floats, Masks, np.float32, Words, Floats, Floats, Items]
"""The table (N, H), the biases (N,), the items that count (N,), how much of its norm a state loses at most,
the states (G, D, LANES, 2) in whole steps and (G, H, LANES) as they are, their bounds (3, G * LANES), and the
counts (P, 3, G * LANES) of each part: above, equal, and whether a number is too large."""


def counts_beside(
    table: Floats, bias: Floats, keep: Masks, hidden: Floats, own: Floats, threads: int
) -> Items | None:
    """Counts (2, Q) of the scores hidden . table_j + bias_j above the bounds (Q,) of hidden states (Q, H) and
    of those equal to them, to the bit those of `scores.count_shared`; of the items in `keep` (N,), or all if
    that is empty. None where a number is too large, or none.

    What rounding leaves out of a row moves a score by at most the norms of that and of the state, multiplied;
    what it leaves out of a state, by the norms of that and of the rounded row.
    """
    (count, units), groups = hidden.shape, -(-len(hidden) // LANES)
    filled = np.zeros((groups * LANES, units), np.float32)
    filled[:count] = hidden
    words, (steps, norms, left) = whole_steps(filled)
    if not (norms < MOST).all():
        return None
    bound = np.full(len(filled), np.inf, np.float32)
    bound[:count] = own
    loss = np.float32(1.001 * (left[:count] / norms[:count]).max(initial=0) + unsure(units))
    bounds = np.stack((bound, steps, np.float32(1.001) * norms))
    columns = np.ascontiguousarray(words.reshape(groups, LANES, -1, TWO).transpose(0, 2, 1, 3))
    lanes = np.ascontiguousarray(filled.reshape(groups, LANES, units).transpose(0, 2, 1))
    counts = np.zeros((-(-len(table) // PIECE), 3, len(filled)), np.int64)
    state = table, bias, keep, loss, columns, lanes, bounds, counts
    count_parts(state, threads)
    found = counts.sum(0)[:, :count]
    return None if found[2].any() else found[:2]


@kernel
def unsure(units: int) -> float:
    """How far rounding takes two sums of a bias and so many products apart, for each unit of the sum of their
    sizes; see `coarse.coarse_scores`.

    Twin: sums in double, tests/kernels/test_counting.py::test_whole_steps_are_within_their_errors.
    """
    roundoff = (units + 2) * 2.0**-24
    return 4 * roundoff / (1 - roundoff)


@kernel
def whole_steps(rows: Floats) -> tuple[Words, Facts]:
    """Round rows (T, H) to whole steps (T, W), W even; T is filled up to a multiple of LANES.

    Twin: NumPy in double, tests/kernels/test_counting.py::test_whole_steps_are_within_their_errors.
    """
    count, units = rows.shape
    filled = -(-count // LANES) * LANES
    words = np.zeros((filled, -(-units // TWO) * TWO), np.int16)
    facts = np.zeros((3, filled), np.float32)
    steps, norms, left = facts[0], facts[1], facts[2]
    for i in range(count):
        total, off = np.float32(0), np.float32(0)
        for j in range(units):
            total += rows[i, j] * rows[i, j]
        norms[i] = max(np.sqrt(total), np.float32(LEAST))
        if not total < MOST * MOST:
            norms[i] = np.inf
            continue
        steps[i] = norms[i] / np.float32(NORM)
        per = np.float32(1) / steps[i]
        for j in range(units):
            number = rows[i, j] * per
            whole = np.rint(number)
            words[i, j] = np.int16(whole)
            off += (number - whole) * (number - whole)
        # the numbers themselves are off by less than .005: two roundings of no more than NORM
        left[i] = np.float32(1.001) * steps[i] * (np.sqrt(off) + np.float32(0.005 * np.sqrt(units)))
    return words, (steps, norms, left)


@kernel
def count_parts(state: State, threads: int) -> None:
    """Count the items of all parts.

    Twin: comparisons, tests/kernels/test_counting.py::test_counts_are_those_of_tiles.
    """
    share_out(_count_part, state, len(state[7]), threads)


@kernel
def _count_part(state: State, part: int) -> None:
    table, bias, keep, loss, columns, lanes, bounds, counts = state
    first, last = part * PIECE, min(part * PIECE + PIECE, len(table))
    words, (steps, norms, left) = whole_steps(table[first:last])
    starts, slacks = np.full(len(words), np.float32(-np.inf), np.float32), np.zeros(len(words), np.float32)
    rounding = np.float32(unsure(table.shape[1]))
    for i in range(last - first):
        if not (norms[i] < MOST and abs(bias[first + i]) < MOST):
            counts[part, 2, 0] = 1
            return
        slacks[i] = rounding * abs(bias[first + i]) + np.float32(LOST)
        if not keep.size or keep[first + i]:
            starts[i] = bias[first + i]
    factors = steps, starts, left + loss * (norms + left), slacks
    near, masks = np.empty(len(words), np.int64), np.empty(len(words), np.int32)
    for group in range(len(columns)):
        part_of = slice(group * LANES, group * LANES + LANES)
        theirs = bounds[0, part_of], bounds[1, part_of], bounds[2, part_of]
        count = _count_sure(words, factors, columns[group], theirs, counts[part, 0, part_of], near, masks)
        exact = table[first:last], bias[first:last], lanes[group], theirs[0]
        _count_near(exact, near[:count], masks, counts[part, :, part_of])


@kernel
def _count_sure(
    words: Words,
    factors: tuple[Floats, Floats, Floats, Floats],
    columns: Words,
    bounds: Bounds,
    counts: Items,
    near: Items,
    masks: NDArray[np.int32],
) -> int:
    """Add to counts (LANES,) how many of some items are surely above, and write down those near to a bound,
    each with a bit for each lane; return how many."""
    sure, some, count = np.zeros(LANES, np.int32), np.empty(TALL, np.int32), 0
    for at in range(0, len(words), TALL):
        if word_sides(words, factors, columns, bounds, at, sure, some):
            for i in range(TALL):
                near[count], masks[count] = at + i, some[i]
                count += 1 if some[i] else 0
    for lane in range(LANES):
        counts[lane] += sure[lane]
    return count


@kernel
def _count_near(
    exact: tuple[Floats, Floats, Floats, Floats], near: Items, masks: NDArray[np.int32], counts: Items
) -> None:
    """Add to counts (3, LANES) which of some items are above and equal, by the lanes of their masks."""
    table, bias, lanes, bound = exact
    rows, start = np.empty((TALL, table.shape[1]), np.float32), np.empty(TALL, np.float32)
    scores, found = np.empty((TALL, LANES), np.float32), np.zeros((2, LANES), np.int32)
    for at in range(0, len(near), TALL):
        few = min(TALL, len(near) - at)
        for i in range(few):
            start[i] = bias[near[at + i]]
            for j in range(table.shape[1]):
                rows[i, j] = table[near[at + i], j]
        product(rows[:few], lanes, scores[:few], start)
        for i in range(few):
            for lane in range(LANES):
                asked = np.int32(masks[at + i] >> lane & 1)
                found[0, lane] += asked * np.int32(scores[i, lane] > bound[lane])
                found[1, lane] += asked * np.int32(scores[i, lane] == bound[lane])
    for lane in range(LANES):
        counts[0, lane] += found[0, lane]
        counts[1, lane] += found[1, lane]
