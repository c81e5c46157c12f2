"""A window's walk through the published model's one GRU layer, and back: what `update_each` does between
looking rows up and scoring.
"""

from typing import NamedTuple

import numpy as np

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.dropout import dropout_mask
from recsys_gru.kernels.facts import Known
from recsys_gru.kernels.gru import Gates, gru_backward, gru_forward
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.plans import Plan
from recsys_gru.kernels.products import linear_shared, product_shared
from recsys_gru.kernels.rows import Memory, take


class Trained(NamedTuple):
    """Each parameter with its Adagrad memory; the items' biases are (N,)."""

    table: Memory
    bias: Memory
    readout: Memory
    """(1, L), or (0, 0) where nothing is looked back at."""
    repeats: Memory
    """(1, R), or (0, 0) where last clicks have nothing added to their scores."""
    input: Memory
    input_bias: Memory
    recurrent: Memory
    recurrent_bias: Memory
    known: Known
    moment: Memory
    """(L, H) rows of labels, or (0, 0) where no moment is told of."""


class Recipe(NamedTuple):
    """What stays the same from update to update; `regular` and `bend` are BPR-max's bpreg and elu_param."""

    bpr_max: bool
    regular: np.float32
    bend: np.float32
    tiny: np.float32
    batch_size: int
    drop_own: float
    drop_embed: float
    drop_hidden: float
    momentum: np.float32
    eps: np.float32
    scale: np.float32
    """Of cosine scores; 0 for dot products."""
    learn_repeats: bool
    threads: int


class Tape(NamedTuple):
    """What the P events of a window leave for the way back."""

    x: Floats
    x_mask: Floats
    before: Floats
    gates: Floats
    """3 H numbers of each event: those of a step are (3, L, H), as `gru` has them."""
    gh: Floats
    hidden: Floats
    mask: Floats


@kernel
def _multiply(x: Floats, mask: Floats) -> None:
    for i in range(len(x)):
        for j in range(x.shape[1]):
            x[i, j] *= mask[i, j]


@kernel
def _wide(shape: tuple[int, int]) -> Floats:
    return np.empty((shape[0], 3 * shape[1]), np.float32)


@kernel
def _alike(x: Floats) -> tuple[Floats, Floats]:
    return np.empty_like(x), np.empty_like(x)


@kernel
def _go_on(former: Floats, source: Items, keep: Floats, state: Floats) -> None:
    """Fill the states (L, H) that lanes begin a step with: what they had, zeros where a session begins."""
    for i in range(len(state)):
        had, has = former[source[i]], state[i]
        for j in range(len(has)):
            has[j] = had[j] * keep[i]


@kernel
def _begin_from(given: Floats, which: Items, state: Floats) -> None:
    """Put the given states of sessions that began earlier into the states (L, H) before a step."""
    for i in range(len(which)):
        if which[i] >= 0:
            state[i] = given[which[i]]


@kernel
def _gates(tape: Tape, begin: int, end: int) -> Gates:
    units = tape.before.shape[1]
    gates = tape.gates[3 * units * begin : 3 * units * end].reshape(3, end - begin, units)
    return tape.before[begin:end], gates, tape.gh[begin:end]


@kernel
def forward(
    trained: Trained, window: Plan, recipe: Recipe, state: Floats, given: Floats
) -> tuple[Tape, Floats]:
    """Walk through a window from the lanes' states (L, H) on; return the tape, and the states after it.

    Twin: `Network.forward`, tests/kernels/test_walk.py::test_a_walk_and_the_way_back_are_the_networks.
    """
    shape = (len(window.inputs), state.shape[1])
    x, x_mask, gx = np.empty(shape, np.float32), np.empty(shape, np.float32), _wide(shape)
    tape = Tape(x, x_mask, np.empty_like(x), np.empty(gx.size, np.float32), _wide(shape), *_alike(x))
    take(trained.table[0], np.ascontiguousarray(window.inputs[:, 0]), x)
    if recipe.drop_embed > 0:
        dropout_mask(window.keys[0], recipe.drop_embed, x_mask.ravel())
        _multiply(x, x_mask)
    linear_shared(x, trained.input[0], trained.input_bias[0], gx, recipe.threads)
    end, former, first_key = 0, state, len(window.keys) - len(window.alive)
    for t in range(len(window.alive)):
        begin, end = end, end + window.alive[t]
        before, gates, gh = _gates(tape, begin, end)
        _go_on(former, window.source[begin:end], window.keep[begin:end], before)
        if len(window.given):
            _begin_from(given, window.given[begin:end], before)
        linear_shared(before, trained.recurrent[0], trained.recurrent_bias[0], gh, recipe.threads)
        former = tape.hidden[begin:end]
        gru_forward(gx[begin:end], gh, before, gates, former, recipe.threads)
        if recipe.drop_hidden > 0:
            mask = tape.mask[begin:end]
            dropout_mask(window.keys[first_key + t], recipe.drop_hidden, mask.ravel())
            _multiply(former, mask)
    return tape, former


@kernel
def backward(
    trained: Trained, window: Plan, recipe: Recipe, d_hidden: Floats, tape: Tape
) -> tuple[Floats, Floats, Floats]:
    """Walk back; return the gradients of the inputs (P, H) and of both shares of the gates, each (P, 3 H).

    Twin: `Network.backward`, tests/kernels/test_walk.py::test_a_walk_and_the_way_back_are_the_networks.
    """
    d_gx, d_gh, end = np.empty_like(tape.gh), np.empty_like(tape.gh), len(d_hidden)
    for t in range(len(window.alive) - 1, -1, -1):
        begin = end - window.alive[t]
        d_state = d_hidden[begin:end]
        if recipe.drop_hidden > 0:
            _multiply(d_state, tape.mask[begin:end])
        kept, d_gates = np.empty_like(d_state), (d_gx[begin:end], d_gh[begin:end])
        gru_backward(d_state, _gates(tape, begin, end), d_gates, kept, recipe.threads)
        if t > 0:  # no gradient leaves the window
            d_former, first = np.empty_like(d_state), begin - window.alive[t - 1]
            product_shared(d_gates[1], trained.recurrent[0], d_former, recipe.threads)
            for i in range(begin, end):
                row, more, round_it = d_hidden[first + window.source[i]], d_former[i - begin], kept[i - begin]
                for j in range(len(row)):
                    row[j] += (more[j] + round_it[j]) * window.keep[i]
        end = begin
    d_x = np.empty_like(d_hidden)
    product_shared(d_gx, trained.input[0], d_x, recipe.threads)
    if recipe.drop_embed > 0:
        _multiply(d_x, tape.x_mask)
    return d_x, d_gx, d_gh
