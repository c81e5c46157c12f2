"""What items are scored for: the hidden state, and the rows of the last clicks beside it.

s = h + sum_d w_d x_d, x_d the input row of the item clicked d clicks before (0: the last), with learned
weights w, which begin as zeros: an untrained network is a plain GRU. Source: the skip connections from the
last items of STAMP (Liu et al. 2018) and the linear readout of CORE (Hou et al. 2022), with weights by
position alone; weights by attention were no better (docs/log.md).
"""

import torch
from torch import Tensor

from recsys_gru.kernels.products import on_kernels
from recsys_gru.kernels.readout import look_back, looked_back


def with_last_rows(hidden: Tensor, table: Tensor, recent: Tensor, weights: Tensor) -> Tensor:
    """Return hidden states (Q, H) with the rows of the last clicks added.

    The clicks are items of a table (N, H), `recent` (Q, L), the last one first and -1 for none; weights are
    (1, L).
    """
    if on_kernels(hidden):
        out = hidden.clone(memory_format=torch.contiguous_format)
        look_back(table.numpy(), recent.numpy(), weights[0].numpy(), out.numpy())
        return out
    rows = table[recent.clamp(min=0)] * (recent >= 0)[..., None]  # (Q, L, H)
    return hidden + (weights[0, :, None] * rows).sum(1)


def through_last_rows(
    gradient: Tensor, table: Tensor, recent: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the weights (1, L) and of the rows that were added (Q * L, H), zeros for none,
    given that of what `with_last_rows` returned (Q, H)."""
    of_weights = torch.empty_like(weights)
    of_rows = gradient.new_empty(recent.numel(), gradient.shape[1])
    if on_kernels(gradient):
        found = of_weights[0].numpy(), of_rows.numpy()
        looked_back(gradient.numpy(), table.numpy(), recent.numpy(), weights[0].numpy(), found)
        return of_weights, of_rows
    there = (recent >= 0)[..., None]  # (Q, L, 1)
    rows = table[recent.clamp(min=0)] * there
    of_weights[0] = (rows * gradient[:, None]).sum((0, 2))
    return of_weights, (weights[0, :, None] * gradient[:, None] * there).view(of_rows.shape)
