"""The forms of matrix product in training and scoring: compiled on the CPU, torch elsewhere."""

import torch
from torch import Tensor

from recsys_gru.model.product_kernels import linear_shared, product_shared, transpose, with_bias, with_one
from recsys_gru.model.threads import n_threads


def on_kernels(values: Tensor) -> bool:
    """Whether the compiled loops serve these values: single precision on the CPU."""
    return values.dtype == torch.float32 and values.device.type == "cpu"


def turned(x: Tensor) -> Tensor:
    """Return the transpose (N, M) of x (M, N), row by row in memory: x itself where it lies so."""
    across = x.T
    if across.is_contiguous() or not on_kernels(x):
        return across.contiguous()
    out = x.new_empty(across.shape)
    transpose(x.numpy(), out.numpy())
    return out


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x @ weight^T + bias, (P, N), for x (P, K), weight (N, K) and bias (N,)."""
    if not on_kernels(x):
        return torch.addmm(bias, x, weight.T)
    out = x.new_empty(x.shape[0], weight.shape[0])
    linear_shared(x.numpy(), weight.numpy(), bias.numpy(), out.numpy(), n_threads())
    return out


def scores_of(hidden: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """Return the scores (Q, T) of items with rows (T, H) and biases (T,) for hidden states (Q, H): as
    `linear`, quicker for many."""
    if not on_kernels(hidden):
        return torch.addmm(bias, hidden, table.T)
    out = hidden.new_empty(hidden.shape[0], table.shape[0])
    lanes, items = with_one(hidden.numpy()), with_bias(table.numpy(), bias.numpy())
    product_shared(lanes, items, out.numpy(), n_threads())
    return out


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b, (M, N), for a (M, K), b (K, N)."""
    if not on_kernels(a):
        return a @ b
    out = a.new_empty(a.shape[0], b.shape[1])
    product_shared(a.numpy(), b.numpy(), out.numpy(), n_threads())
    return out
