"""The distinct items among a window's targets, samples and inputs, and how often each was drawn."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Items, Reals
from recsys_gru.kernels.machine.jit import kernel


@kernel
def _count_targets(
    targets: tuple[Items, Items], lanes: Items, weights: Reals, used: int, drawn: Reals
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
def _number_inputs(inputs: Items, slots: NDArray[np.int32], rows: Items, used: int, input_at: Items) -> int:
    """Number a window's inputs (P, K) behind the `used` items that have a number; return how many have one
    then."""
    for i in range(len(inputs)):
        for k in range(inputs.shape[1]):
            item = inputs[i, k]
            if item >= 0 and slots[item] < 0:
                slots[item] = used
                rows[used] = item
                used += 1
            input_at[i, k] = slots[item] if item >= 0 else -1
    return used


@kernel
def distinct(
    places: tuple[Items, Items, Items],
    sizes: tuple[Items, Items],
    weights: Reals,
    slots: NDArray[np.int32],
    found: tuple[Items, Reals, Items, Items],
    inputs_too: bool,
) -> Items:
    """Number the distinct items of each window among (targets, samples, inputs) by first appearance:
    candidates first, mere inputs last. These are the rows of `model.candidates.Drawn`. With `inputs_too`
    inputs are candidates as well.

    `sizes` says how many steps each window has, and how many targets each step; the targets and inputs of the
    steps lie one after the other, samples are (windows, S). Either there are K inputs, -1 for none, for each
    target, or none at all. Fills `found`, window after window: the items (V,), then (2, steps * U) how often
    each candidate was drawn and the sum of the `weights` (2, N) of its draws, as target of the step and as
    sample of the window, step after step, then the row of each target, and of each input. `slots` (N,) holds
    -1 everywhere before and after. Returns (2, windows): how many candidates, and how many rows in all.

    Twin: dictionaries, tests/kernels/test_candidates.py::test_rows_are_numbered_and_counted_by_first_use.
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
        scored = used
        part = slice(begin, min(begin + count, len(inputs)))
        used = _number_inputs(inputs[part], slots, rows[first:], used, input_at[part])
        if inputs_too:
            drawn[:, told + scored : told + used] = 0
            scored = used
        made[0, window] = scored
        own = targets[begin : begin + count], target_at[begin : begin + count]
        _count_targets(own, sizes[1][step : step + n_steps], weights, scored, drawn[:, told:])
        told += n_steps * scored
        made[1, window] = used
        for row in range(first, first + used):
            slots[rows[row]] = -1
        first, begin, step = first + used, begin + count, step + n_steps
    return made
