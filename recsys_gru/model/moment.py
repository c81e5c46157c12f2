"""What is known about the moment of a click, beside what items are scored for.

s = h + sum_c e_c, e_c a learned row for the label of the last click in each column (its device, its kind),
rows begin as zeros: an untrained network knows nothing of moments. Added where items are scored, a row says
which items are liked there; added to the input of the first layer, or multiplied with it as in the latent
cross (Beutel et al. 2018), it was worth less (docs/log.md).
"""

import torch
from torch import Tensor

from recsys_gru.kernels.moment import add_labels, label_sums
from recsys_gru.kernels.products import on_kernels
from recsys_gru.model.rows import RowGradient


def with_moment(read_out: Tensor, labels: Tensor, table: Tensor) -> Tensor:
    """Return what was read out (Q, H) with the rows of the labels (Q, C), -1 for none, of a table (L, H)."""
    if on_kernels(read_out):
        out = read_out.clone(memory_format=torch.contiguous_format)
        add_labels(table.numpy(), labels.numpy(), out.numpy())
        return out
    rows = table[labels.clamp(min=0)] * (labels >= 0)[..., None]  # (Q, C, H)
    return read_out + rows.sum(1)


def through_moment(gradient: Tensor, labels: Tensor, n_labels: int) -> RowGradient:
    """Return the gradient of the rows of labels, given that of what `with_moment` returned (Q, H)."""
    if on_kernels(gradient):
        rows, sums = map(torch.from_numpy, label_sums(labels.numpy(), n_labels, gradient.numpy()))
    else:
        there = labels >= 0
        owner = torch.arange(len(labels), device=labels.device)[:, None].expand_as(labels)[there]
        rows, places = torch.unique(labels[there], return_inverse=True)
        sums = gradient.new_zeros(len(rows), gradient.shape[1]).index_add_(0, places, gradient[owner])
    return RowGradient.of_each(sums, rows)
