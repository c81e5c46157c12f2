"""Whole updates of the published model in one compiled loop: one GRU layer over item rows that are looked up
and scored in the same table, cross-entropy or BPR-max, Adagrad.

The loops are those that `training.learner.Learner.update` calls one by one, and the weights come out the same
to the last bit. For a small network, what Python does between those calls takes a quarter of the time.
"""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.cosines import across_each, directions
from recsys_gru.kernels.dropout import dropout_mask
from recsys_gru.kernels.facts import compose, learn_with_facts
from recsys_gru.kernels.losses import bpr_max_rows, cross_entropy_rows, weigh
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.moment import add_labels, label_sums
from recsys_gru.kernels.plans import Plan, Sizes, window_of
from recsys_gru.kernels.products import product_shared, transposed
from recsys_gru.kernels.readout import look_back, looked_back
from recsys_gru.kernels.repeats import add_repeats, of_repeats
from recsys_gru.kernels.rows import Memory, Rates, adagrad_by_factors, adagrad_of_rows, score, score_all
from recsys_gru.kernels.walk import Recipe, Trained, backward, forward

States = tuple[Floats, Floats]


@kernel
def _lose(window: Plan, recipe: Recipe, scores: Floats) -> float:
    """Return the loss of a window, and overwrite its scores (U, P) by the gradient."""
    width, steps = len(scores), len(window.alive)
    share = np.float32(1 / (recipe.batch_size * steps))
    places = window.target_at, window.step
    again, total = (window.again_at, window.again), 0.0
    if recipe.bpr_max:
        counts, own = window.counts.reshape(steps, width), np.empty(len(window.step), np.float32)
        for i in range(len(own)):
            own[i] = counts[window.step[i], window.target_at[i]]
        options = recipe.regular, recipe.bend, recipe.tiny, share
        losses = bpr_max_rows(scores, places, counts, own, again, options, recipe.threads)
        for loss in losses:
            total += loss
    else:
        weights = window.weights.reshape(steps, width)
        log_z, own = cross_entropy_rows(scores, places, weights, again, share, recipe.threads)
        losses = log_z - own + window.target_log_q
        for i in range(len(own)):
            total += log_z[i] - own[i] + window.target_log_q[i]
    if len(window.worth) > 0:
        weigh(scores, window.worth)
        total = 0.0
        for i in range(len(losses)):
            total += losses[i] * window.worth[i]
    return total / (recipe.batch_size * steps)


@kernel
def _lose_with_repeats(
    trained: Trained, window: Plan, recipe: Recipe, scores: Floats, of_numbers: Floats
) -> float:
    """As `_lose` where last clicks have numbers added to their scores; fill the gradient of these (1, R)."""
    add_repeats(scores, window.again_at, trained.repeats[0].ravel())
    loss = _lose(window, recipe, scores)
    of_repeats(scores, window.again_at, window.target_at, recipe.scale == 0, of_numbers.ravel())
    return loss


@kernel
def _read_out(trained: Trained, window: Plan, hidden: Floats) -> Floats:
    """The hidden states (P, H), with the rows of the last clicks added where these are looked back at, and
    those of the moment's labels."""
    if len(trained.readout[0]) == 0 and window.moment.shape[1] == 0:
        return hidden
    read_out = hidden.copy()
    if len(trained.readout[0]) > 0:
        look_back(trained.table[0], window.inputs, trained.readout[0][0], read_out)
    if window.moment.shape[1] > 0:
        add_labels(trained.moment[0], window.moment, read_out)
    return read_out


@kernel
def _learn_moment(memory: Memory, labels: Items, d_read_out: Floats, rates: Rates, threads: int) -> None:
    """Apply Adagrad to the rows of the labels of a window's moments, where some are told of."""
    if labels.shape[1] == 0:
        return
    distinct, sums = label_sums(labels, len(memory[0]), d_read_out)
    adagrad_of_rows(memory, distinct, sums, rates, threads)


@kernel
def _asking(read_out: Floats, scale: np.float32) -> Floats:
    """What items are scored for (P, H): what was read out, for cosine scores its directions."""
    if scale == 0:
        return read_out
    asking = np.empty_like(read_out)
    directions(read_out, np.float32(1), asking)
    return asking


@kernel
def _through_scores(d_scores: Floats, candidates: Floats, read_out: Floats, recipe: Recipe) -> Floats:
    """The gradient of what was read out (P, H)."""
    found = np.empty_like(read_out)
    product_shared(d_scores.T, candidates, found, recipe.threads)
    if recipe.scale > 0:
        across_each(found, read_out, np.float32(1))
    return found


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
def _learn_numbers(memory: Memory, gradient: Floats, rates: Rates, threads: int) -> None:
    """Apply Adagrad to a few numbers (1, L), where there are some."""
    if len(memory[0]) > 0:
        one = np.ones((1, 1), np.float32)
        _learn(memory, (one[0, :0], one[0, :0], one[0, :0]), (one, gradient), rates, threads)


@kernel
def _by_place(window: Plan, keys: Items) -> Plan:
    """A window whose items are numbered by their places in it."""
    return Plan(
        window.input_at,
        window.input_at,
        window.target_at,
        window.target_log_q,
        window.step,
        window.keep,
        window.source,
        window.given,
        window.alive,
        keys,
        np.arange(len(window.rows)),
        window.counts,
        window.weights,
        window.again_at,
        window.again,
        window.moment,
        window.worth,
    )


@kernel
def _over(trained: Trained, rows: Floats, bias: Floats) -> Trained:
    """The same layers over some items' rows alone."""
    return Trained(
        (rows, rows, rows),
        (bias, bias, bias),
        trained.readout,
        trained.repeats,
        trained.input,
        trained.input_bias,
        trained.recurrent,
        trained.recurrent_bias,
        trained.known,
        trained.moment,
    )


@kernel
def _with_facts(trained: Trained, window: Plan, recipe: Recipe) -> tuple[Trained, Plan, Floats]:
    """What a window is learned on: where facts are known, its items' rows with what these add, as a table of
    their own, the window by the places in it, and which own rows are kept, all if empty."""
    kept, known, keys = np.empty(0, np.float32), trained.known, window.keys
    if len(known.facts[0]) == 0:
        return trained, window, kept
    if recipe.drop_own > 0:
        kept, keys = np.empty(len(window.rows), np.float32), keys[1:]
        dropout_mask(window.keys[0], recipe.drop_own, kept)
    rows = np.empty((len(window.rows), trained.table[0].shape[1]), np.float32)
    added = known.labels[0], known.projection[0]
    compose(trained.table[0], (window.rows, kept), known.facts, added, rows, recipe.threads)
    bias = np.empty(len(window.rows), np.float32)
    for i in range(len(bias)):
        bias[i] = trained.bias[0][window.rows[i]]
    return _over(trained, rows, bias), _by_place(window, keys), kept


@kernel
def _learn_rows(
    trained: Trained,
    near: tuple[Floats, Items, Floats],
    factors: tuple[Floats, Floats, Items, Floats, np.float32],
    rates: Rates,
    threads: int,
) -> None:
    """Learn the rows of a window's items, and what their facts add to them where some are known."""
    if len(trained.known.facts[0]) == 0:
        adagrad_by_factors(trained.table, trained.bias, near[1], factors, rates, threads)
    else:
        memories = trained.table, trained.bias
        learn_with_facts(memories, trained.known, near, factors, rates, threads)


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
        keys = (recipe.drop_own > 0) + (recipe.drop_embed > 0) + (recipe.drop_hidden > 0) * sizes.steps[w]
        drawn = window_of(plan, sizes, w, at, keys)
        near, window, kept = _with_facts(trained, drawn, recipe)
        tape, state = forward(near, window, recipe, state, given)

        scored = window.rows[: sizes.candidates[w]]
        scores = np.empty((len(scored), len(window.inputs)), np.float32)
        read_out = _read_out(near, window, tape.hidden)
        source, asking = (near.table[0], near.bias[0], scored), _asking(read_out, recipe.scale)
        if len(trained.known.facts[0]) > 0 and recipe.scale == 0:
            candidates = near.table[0][: len(scored)]
            score_all(candidates, near.bias[0], asking, scores, threads)
        else:
            candidates = np.empty((len(scored), state.shape[1]), np.float32)
            score(source, asking, (candidates, scores), recipe.scale, threads)
        of_numbers = np.empty_like(trained.repeats[0])
        losses[w] = _lose_with_repeats(trained, window, recipe, scores, of_numbers)
        d_hidden = _through_scores(scores, candidates, read_out, recipe)
        d_weights, d_rows = _through_read_out(near, window, d_hidden)
        rates = speeds[w], recipe.momentum, recipe.eps
        _learn_moment(trained.moment, window.moment, d_hidden, rates, threads)
        d_x, d_gx, d_gh = backward(near, window, recipe, d_hidden, tape)

        factors = scores, asking, window.input_at.ravel(), _added(d_x, d_rows), recipe.scale
        _learn_rows(trained, (near.table[0], drawn.rows, kept), factors, rates, threads)
        _learn(trained.recurrent, trained.recurrent_bias, (d_gh, tape.before), rates, threads)
        _learn(trained.input, trained.input_bias, (d_gx, tape.x), rates, threads)
        _learn_numbers(trained.readout, d_weights, rates, threads)
        if recipe.learn_repeats:
            _learn_numbers(trained.repeats, of_numbers, rates, threads)
        if not np.isfinite(losses[w]):
            return losses[: w + 1], state
    return losses, state
