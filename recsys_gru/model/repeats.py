"""A repeat head: items that a session has just clicked are likelier to come again than rows say, or less.

score(j) = what the row of j says + r_d, where j was clicked d clicks before (0: the last; the later one, if
twice), with learned numbers r, which begin as zeros. With p the softmax over all items this is the mixture of
"again" and "new" of RepeatNet (Ren et al. 2019): the mass of the last clicks is the probability of "again".
In place of two decoders there are R numbers, and the rows say the rest.

Two things keep r true of clicks that are not in the log. A last click that does not come again speaks to r
alone, and pushes no row away; and r is learned only while clicks are new to the network, in the first epoch:
of sessions that it knows by heart it knows too well when they go on to something new (docs/log.md).
"""

import torch
from torch import Tensor

from recsys_gru.kernels.products import on_kernels
from recsys_gru.kernels.repeats import add_repeats, of_repeats


def raise_repeats(scores: Tensor, at: Tensor, numbers: Tensor) -> None:
    """Add numbers (1, R) to the scores (P, U) of the columns `at` (P, R) of the last clicks, -1 for none."""
    if on_kernels(scores):
        add_repeats(scores.T.numpy(), at.numpy(), numbers[0].numpy())
        return
    row, place = torch.nonzero(at >= 0, as_tuple=True)
    scores.index_put_((row, at[row, place]), numbers[0, place], accumulate=True)


def through_repeats(gradient: Tensor, at: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of the numbers (1, R), given that of the scores (P, U), from which it takes that of
    last clicks that are not their row's target (P,)."""
    out = gradient.new_empty(1, at.shape[1])
    if on_kernels(gradient):
        of_repeats(gradient.T.numpy(), at.numpy(), targets.numpy(), out[0].numpy())
        return out
    there = at >= 0
    out[0] = (gradient.gather(1, at.clamp(min=0)) * there).sum(0)
    row, place = torch.nonzero(there & (at != targets[:, None]), as_tuple=True)
    gradient[row, at[row, place]] = 0
    return out
