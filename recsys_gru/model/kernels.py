"""The loops behind a step's candidates, compiled by numba: drawing items and numbering the distinct ones."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.jit import kernel

Items = NDArray[np.int64]
Floats = NDArray[np.float32] | NDArray[np.float64]


@kernel
def distinct(
    places: tuple[Items, Items, Items],
    counts: Items,
    weights: Floats,
    slots: NDArray[np.int32],
    found: tuple[Items, Floats, Items, Items],
) -> NDArray[np.int64]:
    """Number the distinct items of each step among (targets, samples, inputs): candidates first, mere
    inputs last.

    The targets and inputs of the steps lie one after the other, `counts` says how many each step has;
    samples are (steps, S). Either there are as many inputs as targets, or none. Fills `found`, step after
    step: the items (V,), then (2, V) how often each was drawn and the sum of the `weights` (2, N) of its
    draws, as target and as sample, then the row of each target, and of each input. `slots` (N,) holds -1
    everywhere before and after. Returns (2, steps): how many candidates, and how many rows in all.
    """
    targets, samples, inputs = places
    rows, drawn, target_at, input_at = found
    made = np.empty((2, len(counts)), np.int64)
    first, begin = 0, 0  # of the step's rows, and of its targets
    for step in range(len(counts)):
        count, used = counts[step], 0
        for draw in range(count + samples.shape[1]):
            kind = 0 if draw < count else 1
            item = targets[begin + draw] if kind == 0 else samples[step, draw - count]
            slot = slots[item]
            if slot < 0:
                slot = used
                slots[item] = slot
                rows[first + slot] = item
                drawn[0, first + slot] = 0
                drawn[1, first + slot] = 0
                used += 1
            drawn[0, first + slot] += 1
            drawn[1, first + slot] += weights[kind, item]
            if kind == 0:
                target_at[begin + draw] = slot
        made[0, step] = used
        for i in range(begin, min(begin + count, len(inputs))):
            if slots[inputs[i]] < 0:
                slots[inputs[i]] = used
                rows[first + used] = inputs[i]
                used += 1
            input_at[i] = slots[inputs[i]]
        made[1, step] = used
        for row in range(first, first + used):
            slots[rows[row]] = -1
        first, begin = first + used, begin + count
    return made


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
def _mixed(x: np.uint32) -> np.uint32:
    """Return x with its bits mixed, one number for each number. Source: Wellons 2018, hash prospector,
    lowbias32."""
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@kernel
def dropout_mask(key: int, dropped: float, mask: NDArray[np.float32]) -> None:
    """Fill mask (n,) with 0, with probability `dropped`, or 1 / (1 - dropped), by hashing the places with a
    key of 64 bits.

    A generator's draws come one after the other; hashes of places come a vector register at a time.
    """
    low, high = np.uint32(key & 0xFFFFFFFF), np.uint32((key >> 32) & 0xFFFFFFFF)
    limit, kept = np.uint32(dropped * 2.0**32), np.float32(1 / (1 - dropped))
    for i in range(len(mask)):
        drawn = _mixed(np.uint32(_mixed(np.uint32(np.uint32(i) ^ low)) ^ high))
        mask[i] = kept if drawn >= limit else np.float32(0)
