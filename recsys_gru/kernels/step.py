"""Whole updates of the published model in one compiled loop: one GRU layer over item rows that are looked up
and scored in the same table, cross-entropy or BPR-max, Adagrad.

The loops are those that `training.learner.Learner.update` calls one by one, and the weights come out the same
to the last bit. For a small network, what Python does between those calls takes a quarter of the time.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import across_each, directions
from recsys_gru.kernels.dropout import dropout_mask
from recsys_gru.kernels.gru import Gates, gru_backward, gru_forward
from recsys_gru.kernels.losses import bpr_max_rows, cross_entropy_rows
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.plans import Plan, Sizes, window_of
from recsys_gru.kernels.products import linear_shared, product_shared, transposed
from recsys_gru.kernels.readout import look_back, looked_back
from recsys_gru.kernels.rows import Memory, Rates, adagrad_by_factors, score, take


class Trained(NamedTuple):
    """Each parameter with its Adagrad memory; the items' biases are (N,)."""

    table: Memory
    bias: Memory
    readout: Memory
    """(1, L), or (0, 0) where nothing is looked back at."""
    input: Memory
    input_bias: Memory
    recurrent: Memory
    recurrent_bias: Memory


class Recipe(NamedTuple):
    """What stays the same from update to update; `regular` and `bend` are BPR-max's bpreg and elu_param."""

    bpr_max: bool
    regular: np.float32
    bend: np.float32
    tiny: np.float32
    batch_size: int
    drop_embed: float
    drop_hidden: float
    momentum: np.float32
    eps: np.float32
    scale: np.float32
    """Of cosine scores; 0 for dot products."""
    threads: int


States = tuple[Floats, Floats]


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
def _forward(
    trained: Trained, window: Plan, recipe: Recipe, state: Floats, given: Floats
) -> tuple[Tape, Floats]:
    """Walk through a window from the lanes' states (L, H) on; return the tape, and the states after it."""
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
def _backward(
    trained: Trained, window: Plan, recipe: Recipe, d_hidden: Floats, tape: Tape
) -> tuple[Floats, Floats, Floats]:
    """Walk back; return the gradients of the inputs (P, H) and of both shares of the gates, each (P, 3 H)."""
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


@kernel
def _lose(window: Plan, recipe: Recipe, scores: Floats) -> float:
    """Return the loss of a window, and overwrite its scores (U, P) by the gradient."""
    width, steps = len(scores), len(window.alive)
    share = np.float32(1 / (recipe.batch_size * steps))
    places = window.target_at, window.step
    total = 0.0
    if recipe.bpr_max:
        counts, own = window.counts.reshape(steps, width), np.empty(len(window.step), np.float32)
        for i in range(len(own)):
            own[i] = counts[window.step[i], window.target_at[i]]
        options = recipe.regular, recipe.bend, recipe.tiny, share
        for loss in bpr_max_rows(scores, places, counts, own, options, recipe.threads):
            total += loss
    else:
        weights = window.weights.reshape(steps, width)
        log_z, own = cross_entropy_rows(scores, places, weights, share, recipe.threads)
        for i in range(len(own)):
            total += log_z[i] - own[i] + window.target_log_q[i]
    return total / (recipe.batch_size * steps)


@kernel
def _read_out(trained: Trained, window: Plan, hidden: Floats) -> Floats:
    """The hidden states (P, H), with the rows of the last clicks added where these are looked back at."""
    if len(trained.readout[0]) == 0:
        return hidden
    read_out = hidden.copy()
    look_back(trained.table[0], window.inputs, trained.readout[0][0], read_out)
    return read_out


@kernel
def _asking(read_out: Floats, scale: np.float32) -> Floats:
    """What items are scored for (P, H): what was read out, for cosine scores its directions."""
    if scale == 0:
        return read_out
    asking = np.empty_like(read_out)
    directions(read_out, np.float32(1), asking)
    return asking


@kernel
def _through_read_out(trained: Trained, window: Plan, d_hidden: Floats) -> tuple[Floats, Floats]:
    """The gradients of the readout's weights (1, L), and of the rows that they weigh (P * L, H)."""
    table, weights = trained.table[0], trained.readout[0]
    of_weights, of_rows = (
        np.empty_like(weights),
        np.empty((weights.size * len(d_hidden), d_hidden.shape[1]), np.float32),
    )
    if len(weights) > 0:
        looked_back(d_hidden, table, window.inputs, weights[0], (of_weights[0], of_rows))
    return of_weights, of_rows


@kernel
def _added(d_x: Floats, d_rows: Floats) -> Floats:
    """The gradients of all looked-up rows, given those of the inputs and of what the readout weighs."""
    if len(d_rows) == 0:
        return d_x
    each = len(d_rows) // len(d_x)
    for i in range(len(d_x)):
        row, more = d_rows[i * each], d_x[i]
        for j in range(len(row)):
            row[j] += more[j]
    return d_rows


@kernel
def _learn(memory: Memory, bias: Memory, factors: tuple[Floats, Floats], rates: Rates, threads: int) -> None:
    """Apply Adagrad to a dense parameter and its bias; factors are delta (P, N) and operand (P, D)."""
    delta, operand = factors
    turned = transposed(delta)
    rows, nowhere, nothing = np.arange(len(turned)), np.empty(0, np.int64), operand[:0]
    factors_of_all = (turned, operand, nowhere, nothing, np.float32(0))
    adagrad_by_factors(memory, bias, rows, factors_of_all, rates, threads)


@kernel
def update_each(
    trained: Trained, plan: Plan, sizes: Sizes, at: Items, recipe: Recipe, states: States, speeds: Floats
) -> tuple[NDArray[np.float64], Floats]:
    """Update the network on W windows of a plan, one after the other, at the learning rates (W,), as
    `training.learner.Learner.update` does; return each loss, up to the first that is not finite, and the
    lanes' states after it. `at` (5,), where the windows begin in the arrays of the plan, is moved to where
    they end. `states` are the lanes' (L, H), and those that sessions of `plan.given` go on from.

    Twin: `Learner`, tests/training/test_learner.py::test_the_compiled_loop_is_the_separate_calls_to_the_bit.
    """
    losses, threads = np.empty(len(speeds), np.float64), recipe.threads
    state, given = states
    for w in range(len(speeds)):
        keys = (recipe.drop_embed > 0) + (recipe.drop_hidden > 0) * sizes.steps[w]
        window = window_of(plan, sizes, w, at, keys)
        tape, state = _forward(trained, window, recipe, state, given)

        scored = window.rows[: sizes.candidates[w]]
        candidates = np.empty((len(scored), state.shape[1]), np.float32)
        scores = np.empty((len(scored), len(window.inputs)), np.float32)
        read_out = _read_out(trained, window, tape.hidden)
        source, asking = (trained.table[0], trained.bias[0], scored), _asking(read_out, recipe.scale)
        score(source, asking, (candidates, scores), recipe.scale, threads)
        losses[w] = _lose(window, recipe, scores)  # the gradient stands in the place of the scores
        d_hidden = np.empty_like(tape.hidden)
        product_shared(scores.T, candidates, d_hidden, threads)
        if recipe.scale > 0:
            across_each(d_hidden, read_out, np.float32(1))
        d_weights, d_rows = _through_read_out(trained, window, d_hidden)
        d_x, d_gx, d_gh = _backward(trained, window, recipe, d_hidden, tape)

        rates = speeds[w], recipe.momentum, recipe.eps
        factors = scores, asking, window.input_at.ravel(), _added(d_x, d_rows), recipe.scale
        adagrad_by_factors(trained.table, trained.bias, window.rows, factors, rates, threads)
        _learn(trained.recurrent, trained.recurrent_bias, (d_gh, tape.before), rates, threads)
        _learn(trained.input, trained.input_bias, (d_gx, tape.x), rates, threads)
        if len(trained.readout[0]) > 0:
            one = np.ones((1, 1), np.float32)
            _learn(trained.readout, (one[0, :0], one[0, :0], one[0, :0]), (one, d_weights), rates, threads)
        if not np.isfinite(losses[w]):
            return losses[: w + 1], state
    return losses, state
