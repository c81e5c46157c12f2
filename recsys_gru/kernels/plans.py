"""What whole updates need beside the weights, laid out for some windows at once."""

from typing import NamedTuple

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import kernel


class Plan(NamedTuple):
    """One window, or some windows one after the other: E events, S steps, V rows.

    T steps of a window have U candidates, which are told of as `model.losses.Columns` tells.
    """

    inputs: Items
    """(E, K) item numbers: of the input, then of the clicks before it, -1 for none."""
    input_at: Items
    """(E, K) the row of each among the window's, -1 for none."""
    target_at: Items
    """(E,) the row of each target."""
    target_log_q: Floats
    """(E,)"""
    step: Items
    """(E,) the step within the window."""
    keep: Floats
    """(E,) as in `model.network.Flow`."""
    source: Items
    """(E,) as in `model.network.Flow`."""
    given: Items
    """(E,) which given state a session goes on from, -1 for none; empty where no session does."""
    alive: Items
    """(S,) lanes of each step."""
    keys: Items
    """What the dropout masks are made of, in the order of use: of the inputs, then of each step."""
    rows: Items
    """(V,) item numbers, distinct within a window, candidates first."""
    counts: Floats
    """T times U numbers of each window."""
    weights: Floats
    """T times U numbers of each window."""
    again_at: Items
    """(E, R) the rows of the last clicks, each item once, -1 for none."""
    again: Floats
    """(E, R) how often each counts in its own row."""
    moment: Items
    """(E, C) the labels of each input's moment, -1 for none; no columns where none is told of."""
    worth: Floats
    """(E,) what each target's loss counts; empty where all count the same."""


class Sizes(NamedTuple):
    """Of each window (W,)."""

    steps: Items
    candidates: Items
    rows: Items


@kernel
def window_of(plan: Plan, sizes: Sizes, w: int, at: Items, keys: int) -> Plan:
    """Return window w of a plan; its events, steps, rows, draws and keys begin `at` (5,), which moves on.

    Twin: slices, tests/kernels/test_plans.py::test_windows_are_cut_one_after_the_other.
    """
    e, s, v, d, k = at[0], at[1], at[2], at[3], at[4]
    at[1] += sizes.steps[w]
    at[0] += plan.alive[s : at[1]].sum()
    at[2] += sizes.rows[w]
    at[3] += sizes.steps[w] * sizes.candidates[w]
    at[4] += keys
    return Plan(
        plan.inputs[e : at[0]],
        plan.input_at[e : at[0]],
        plan.target_at[e : at[0]],
        plan.target_log_q[e : at[0]],
        plan.step[e : at[0]],
        plan.keep[e : at[0]],
        plan.source[e : at[0]],
        plan.given[e : at[0]],
        plan.alive[s : at[1]],
        plan.keys[k : at[4]],
        plan.rows[v : at[2]],
        plan.counts[d : at[3]],
        plan.weights[d : at[3]],
        plan.again_at[e : at[0]],
        plan.again[e : at[0]],
        plan.moment[e : at[0]],
        plan.worth[e : at[0]],
    )
