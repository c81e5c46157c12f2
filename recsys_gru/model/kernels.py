"""The loops behind a step's candidates, compiled by numba: drawing items and numbering the distinct ones."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.jit import kernel

Items = NDArray[np.int64]
Floats = NDArray[np.float32] | NDArray[np.float64]


@kernel
def _count_targets(
    targets: tuple[Items, Items], lanes: Items, weights: Floats, used: int, drawn: Floats
) -> None:
    """Repeat a window's draws of samples, the first `used` of drawn, for each of its steps, and add the
    step's own targets."""
    items, places = targets
    for kind in range(2):
        for later in range(used, len(lanes) * used):
            drawn[kind, later] = drawn[kind, later - used]
    at = 0
    for step in range(len(lanes)):
        for i in range(at, at + lanes[step]):
            drawn[0, step * used + places[i]] += 1
            drawn[1, step * used + places[i]] += weights[0, items[i]]
        at += lanes[step]


@kernel
def distinct(
    places: tuple[Items, Items, Items],
    sizes: tuple[Items, Items],
    weights: Floats,
    slots: NDArray[np.int32],
    found: tuple[Items, Floats, Items, Items],
) -> NDArray[np.int64]:
    """Number the distinct items of each window among (targets, samples, inputs): candidates first, mere
    inputs last.

    `sizes` says how many steps each window has, and how many targets each step; the targets and inputs of the
    steps lie one after the other, samples are (windows, S). Either there are as many inputs as targets, or
    none. Fills `found`, window after window: the items (V,), then (2, steps * U) how often each candidate was
    drawn and the sum of the `weights` (2, N) of its draws, as target of the step and as sample of the window,
    step after step, then the row of each target, and of each input. `slots` (N,) holds -1 everywhere before
    and after. Returns (2, windows): how many candidates, and how many rows in all.
    """
    targets, samples, inputs = places
    rows, drawn, target_at, input_at = found
    made = np.empty((2, len(sizes[0])), np.int64)
    first, begin, step, told = 0, 0, 0, 0  # of the window: its rows, targets, steps and draws
    for window in range(len(sizes[0])):
        n_steps, used = sizes[0][window], 0
        count = sizes[1][step : step + n_steps].sum()
        for draw in range(count + samples.shape[1]):
            item = targets[begin + draw] if draw < count else samples[window, draw - count]
            slot = slots[item]
            if slot < 0:
                slot = used
                slots[item] = slot
                rows[first + slot] = item
                drawn[0, told + slot] = 0
                drawn[1, told + slot] = 0
                used += 1
            if draw < count:
                target_at[begin + draw] = slot
            else:
                drawn[0, told + slot] += 1
                drawn[1, told + slot] += weights[1, item]
        made[0, window] = used
        own = targets[begin : begin + count], target_at[begin : begin + count]
        _count_targets(own, sizes[1][step : step + n_steps], weights, used, drawn[:, told:])
        told += n_steps * used
        for i in range(begin, min(begin + count, len(inputs))):
            if slots[inputs[i]] < 0:
                slots[inputs[i]] = used
                rows[first + used] = inputs[i]
                used += 1
            input_at[i] = slots[inputs[i]]
        made[1, window] = used
        for row in range(first, first + used):
            slots[rows[row]] = -1
        first, begin, step = first + used, begin + count, step + n_steps
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
