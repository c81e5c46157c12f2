"""The two published losses with their gradient in closed form: one pass over each row while it is in the
cache.

Each is tied to its formula in `losses.py` by a test. Everything else (the other losses, label smoothing,
other devices, double precision) gets its gradient from automatic differentiation of that formula.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.losses import NO_CLICKS, Again, bpr_max_rows, cross_entropy_rows, weigh
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.products import on_kernels, turned
from recsys_gru.model import losses
from recsys_gru.model.losses import TINY, Columns, Loss


def value_and_gradient(
    loss: Loss, scores: Tensor, columns: Columns, share: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return each row's loss (P,) and the gradient of `share` times their sum with respect to the scores (P,
    U), which it overwrites."""
    function, options = (loss.func, loss.keywords) if isinstance(loss, partial) else (loss, {})
    if on_kernels(scores):
        if function is losses.bpr_max:
            return _in_place(partial(_bpr_max, **options), scores, columns, share)
        if function is losses.cross_entropy and not options.get("smoothing") and columns.own_counts is None:
            return _in_place(_cross_entropy, scores, columns, share)
    with torch.enable_grad():
        leaf = scores.detach().requires_grad_()
        rows = loss(leaf, columns)
        (gradient,) = torch.autograd.grad(rows.sum() * share, leaf)
    return rows.detach(), scores.copy_(gradient)


def weighted(d_scores: Tensor, worth: Tensor) -> Tensor:
    """Return the gradient of the scores (P, U) times what each target counts (P,), in its place."""
    if on_kernels(d_scores):
        by_column = turned(d_scores)  # no copy of a gradient of scores
        weigh(by_column.numpy(), worth.numpy())
        return by_column.T
    return d_scores.mul_(worth[:, None])


def _in_place(
    kernel: Callable[[Floats, Columns, float], Tensor], scores: Tensor, columns: Columns, share: float
) -> tuple[Tensor, Tensor]:
    """Run a kernel on scores, which it wants column by column, as `score_rows` leaves them."""
    by_column = turned(scores)  # (U, P)
    rows = kernel(by_column.numpy(), columns, share)
    return rows, scores if by_column.data_ptr() == scores.data_ptr() else scores.copy_(by_column.T)


def _cross_entropy(scores: Floats, columns: Columns, share: float) -> Tensor:
    """-log p of the target; the gradient is p less one at the target."""
    places = columns.target.numpy(), columns.step.numpy()
    weights, again = columns.weights.numpy(), _again(columns, "weights")
    log_z, own = cross_entropy_rows(scores, places, weights, again, np.float32(share), n_threads())
    return torch.from_numpy(log_z - own) + columns.target_log_q


def _bpr_max(scores: Floats, columns: Columns, share: float, bpreg: float, elu_param: float) -> Tensor:
    own = columns.own_counts
    if own is None:
        own = columns.counts[columns.step, columns.target]
    options = (np.float32(bpreg), np.float32(elu_param), np.float32(TINY), np.float32(share))
    places = columns.target.numpy(), columns.step.numpy()
    counts, again = columns.counts.numpy(), _again(columns, "counts")
    return torch.from_numpy(bpr_max_rows(scores, places, counts, own.numpy(), again, options, n_threads()))


def _again(columns: Columns, kind: str) -> Again:
    again = columns.again
    return NO_CLICKS if again is None else (again.at.numpy(), getattr(again, kind).numpy())
