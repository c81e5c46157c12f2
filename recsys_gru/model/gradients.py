"""The two published losses with their gradient in closed form, in place and without a tape.

Each is tied to its formula in `losses.py` by a test; the other losses get their gradient from automatic
differentiation of that formula.
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import elu

from recsys_gru.model import losses
from recsys_gru.model.losses import TINY, Columns, Loss


def value_and_gradient(loss: Loss, scores: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
    """Return each row's loss (P,) and the gradient of their sum with respect to the scores (P, U); may use up
    `scores`."""
    function, options = (loss.func, loss.keywords) if isinstance(loss, partial) else (loss, {})
    if function is losses.cross_entropy and options.get("smoothing", 0) == 0:
        return _cross_entropy(scores, columns)
    if function is losses.bpr_max:
        return _bpr_max(scores, columns, **options)
    with torch.enable_grad():
        leaf = scores.detach().requires_grad_()
        rows = loss(leaf, columns)
        (gradient,) = torch.autograd.grad(rows.sum(), leaf)
    return rows.detach(), gradient


def _cross_entropy(scores: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
    """-log p of the target; the gradient is p less one at the target."""
    target = columns.target[:, None]  # (P, 1)
    own = scores.gather(1, target)[:, 0]
    logits = scores.add_(columns.log_rows())  # (P, U)
    top = logits.amax(1)
    p = torch.softmax(logits, 1)
    log_z = top - p.amax(1).log()  # the largest p is exp(top - log Z): no second pass over the exponentials
    p.scatter_add_(1, target, torch.full_like(own, -1)[:, None])
    return log_z - own + columns.target_log_q, p


def _bpr_max(scores: Tensor, columns: Columns, bpreg: float, elu_param: float) -> tuple[Tensor, Tensor]:
    """With g_j = bpreg r_j^2 - sigmoid_j / (A + 1e-24): d/dr_j = s_j (g_j - sum_k s_k g_k + own terms)."""
    r = elu(scores, elu_param) if elu_param > 0 else scores
    target = columns.target[:, None]  # (P, 1)
    s = losses.softmax_over_negatives(r, columns)
    won = torch.sigmoid(r.gather(1, target) - r)  # (P, U)
    total = (s * won).sum(1, keepdim=True) + TINY  # (P, 1)
    square = r * r
    penalty = (s * square).sum(1, keepdim=True)
    slope = won * (1 - won) / total  # (P, U), of the sigmoids alone
    mean = bpreg * penalty - (total - TINY) / total
    gradient = s * (bpreg * square - won / total - mean + slope + 2 * bpreg * r)
    gradient.scatter_add_(1, target, -(s * slope).sum(1, keepdim=True))
    if elu_param > 0:
        gradient *= torch.where(r > 0, 1.0, r + elu_param)  # the derivative of ELU from its own value
    return bpreg * penalty[:, 0] - total[:, 0].log(), gradient
