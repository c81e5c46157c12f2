"""What an untrained network holds. Source: Glorot & Bengio 2010; biases are zero."""

import math

import torch
from torch import Tensor

from recsys_gru.model.architecture import Architecture
from recsys_gru.model.cells import Cell, Weights
from recsys_gru.model.share import WHOLE, Share

STRETCH = 1 << 16
"""Rows of a table that are drawn at once where only some are kept."""


def initial_tables(
    architecture: Architecture,
    first: Cell,
    generator: torch.Generator,
    dtype: torch.dtype,
    share: Share = WHOLE,
) -> dict[str, Tensor]:
    """Draw the item tables, and keep a share of their rows; the bias is zero."""
    n_items, units = architecture.n_items, architecture.layers[-1]
    tables = {
        "output": _uniform(n_items, units, generator, dtype, share),
        "bias": torch.zeros(share.count(n_items), 1, dtype=dtype),
    }
    if architecture.mode == "separate":
        tables["input"] = _uniform(n_items, architecture.embedding, generator, dtype, share)
    if architecture.mode == "one-hot":
        gates = [_uniform(n_items, first.units, generator, dtype, share) for _ in range(first.gates)]
        tables["input"] = torch.cat(gates, 1)
    return tables


def initial_layer(cell: Cell, width: int, generator: torch.Generator, dtype: torch.dtype) -> Weights:
    """Draw each gate's matrix on its own; biases are zero, but an LSTM's forget gate starts open (Jozefowicz
    et al. 2015)."""
    weights: Weights = {}
    if width:
        gates = [_uniform(cell.units, width, generator, dtype) for _ in range(cell.gates)]
        weights["input"] = torch.cat(gates)
        if cell.input_bias:
            weights["input_bias"] = torch.zeros(cell.gates * cell.units, dtype=dtype)
    for name, gates_fed in cell.matrices.items():
        weights[name] = torch.cat(
            [_uniform(cell.units, cell.units, generator, dtype) for _ in range(gates_fed)]
        )
        weights[f"{name}_bias"] = torch.zeros(gates_fed * cell.units, dtype=dtype)
    if cell.states > 1:
        weights["recurrent_bias"][cell.units : 2 * cell.units] = 1
    return weights


def _uniform(
    fan_out: int, fan_in: int, generator: torch.Generator, dtype: torch.dtype, share: Share = WHOLE
) -> Tensor:
    """Return a share of the rows of a (fan_out, fan_in) matrix uniform in (-s, s), s = sqrt(6 / (fan_in +
    fan_out)). Source: Glorot & Bengio 2010."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    if share == WHOLE:
        return torch.empty(fan_out, fan_in, dtype=dtype).uniform_(-bound, bound, generator=generator)
    kept, stretch = torch.empty(share.count(fan_out), fan_in, dtype=dtype), STRETCH * share.size
    for begin in range(0, fan_out, stretch):  # one after the other they are the numbers of the whole
        drawn = torch.empty(min(stretch, fan_out - begin), fan_in, dtype=dtype)
        own = drawn.uniform_(-bound, bound, generator=generator)[share.rank :: share.size]
        kept[begin // share.size :][: len(own)] = own
    return kept
