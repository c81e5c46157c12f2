"""The two published losses with their gradient in closed form: one pass over each row while it is in the
cache.

Each is tied to its formula in `losses.py` by a test. Everything else (the other losses, label smoothing,
other devices, double precision) gets its gradient from automatic differentiation of that formula.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from recsys_gru.model import losses
from recsys_gru.model.loss_kernels import bpr_max_rows, cross_entropy_rows
from recsys_gru.model.losses import TINY, Columns, Loss
from recsys_gru.model.rows import on_kernels


def value_and_gradient(loss: Loss, scores: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
    """Return each row's loss (P,) and the gradient of their sum with respect to the scores (P, U); may use up
    `scores`."""
    function, options = (loss.func, loss.keywords) if isinstance(loss, partial) else (loss, {})
    if on_kernels(scores):
        if function is losses.bpr_max:
            return _bpr_max(scores, columns, **options)
        if function is losses.cross_entropy and not options.get("smoothing") and columns.own_counts is None:
            return _cross_entropy(scores, columns)
    with torch.enable_grad():
        leaf = scores.detach().requires_grad_()
        rows = loss(leaf, columns)
        (gradient,) = torch.autograd.grad(rows.sum(), leaf)
    return rows.detach(), gradient


def _cross_entropy(scores: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
    """-log p of the target; the gradient is p less one at the target."""
    log_z, own = cross_entropy_rows(scores.numpy(), columns.target.numpy(), columns.weights.numpy())
    return torch.from_numpy(log_z - own) + columns.target_log_q, scores


def _bpr_max(scores: Tensor, columns: Columns, bpreg: float, elu_param: float) -> tuple[Tensor, Tensor]:
    own = columns.own_counts if columns.own_counts is not None else columns.counts[columns.target]
    options = (np.float32(bpreg), np.float32(elu_param), np.float32(TINY))
    losses = bpr_max_rows(
        scores.numpy(), columns.target.numpy(), columns.counts.numpy(), own.numpy(), options
    )
    return torch.from_numpy(losses), scores
