"""Items' rows with the rows of their facts added: compiled on the CPU, torch elsewhere."""

import numpy as np
import torch
from torch import Tensor

from recsys_gru.kernels.facts import compose
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.products import on_kernels
from recsys_gru.model.facts import Facts

Added = tuple[Tensor, Tensor]
"""Rows of labels (L, D), and a projection of numbers (V, D)."""

ALL = np.empty(0, np.float32)
"""Rows are kept."""


def composed(own: Tensor, facts: Facts, added: Added, items: Tensor, kept: Tensor | None = None) -> Tensor:
    """Return the rows (R, D) of some items: their own of a table (N, D), and what their facts add; where
    `kept` (R,) has a zero, this alone."""
    if on_kernels(own):
        left = ALL if kept is None else kept.numpy()
        out = own.new_empty(len(items), own.shape[1])
        tables = added[0].numpy(), added[1].numpy()
        compose(own.numpy(), (items.numpy(), left), facts, tables, out.numpy(), n_threads())
        return out
    owner, labels, weights = entries(facts, items, own)
    rows = own.index_select(0, items)
    rows = rows if kept is None else rows * (kept > 0)[:, None]
    rows.index_add_(0, owner, weights[:, None] * added[0][labels])
    return rows + numbers_of(facts, items, own) @ added[1]


def numbers_of(facts: Facts, items: Tensor, like: Tensor) -> Tensor:
    """Return the numbers (R, V) of some items, in the precision and on the device of another tensor."""
    return torch.from_numpy(facts.numbers[items.cpu().numpy()]).to(like)


def entries(facts: Facts, items: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the labels (E,) of some items one after the other, whose they are among these, and weights."""
    found = facts.of(items.cpu().numpy())
    owner = np.repeat(np.arange(len(items)), np.diff(found.offsets))
    parts = (torch.from_numpy(values).to(like.device) for values in (owner, found.labels.astype(np.int64)))
    owners, labels = parts
    return owners, labels, torch.from_numpy(found.weights).to(like)
