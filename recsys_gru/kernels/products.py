"""Matrix products as loops over register-sized pieces (`simd.py`), which read their factors where they lie.

A library's product copies its factors into an order of its own first. For the thin matrices of a training
step, some dozen lanes wide, that costs as much as the product. An element is summed in the order of k
whatever stands beside it: neither its neighbours nor the threads change a bit of it.
"""

import numpy as np
import torch
from torch import Tensor

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.simd import TALL, WIDEST, WIDTH, product_piece, transposed_square
from recsys_gru.kernels.machine.threads import n_threads, share_out

DEPTH = 256
"""Terms of a sum taken at a time, so that the rows of `b` that belong to them stay in the cache."""
CHUNK = 8 * TALL
"""Rows of a matrix or table that make a part of the work."""


@kernel
def panel(columns: int) -> int:
    """Return how many vectors side by side to take next of so many columns, so that none is left over
    narrow."""
    vectors = -(-columns // WIDTH)
    return -(-vectors // -(-vectors // WIDEST))


@kernel
def piece(a: Floats, b: Floats, out: Floats, at: tuple[int, int], start: Floats, add: bool) -> None:
    """Compute TALL rows and a panel of columns of out = a @ b, from row and column `at` on; see
    `simd.product_piece`."""
    vectors = panel(out.shape[1] - at[1])
    if vectors == 1:
        product_piece(a, b, out, at, start, add, 1)
    elif vectors == 2:
        product_piece(a, b, out, at, start, add, 2)
    else:
        product_piece(a, b, out, at, start, add, 3)


@kernel
def product(a: Floats, b: Floats, out: Floats, start: Floats) -> None:
    """Set out (M, N) to a (M, K) @ b (K, N) + start (M,); b and out lie row by row, a may lie in any way."""
    for k in range(0, a.shape[1], DEPTH):
        left, right = a[:, k : k + DEPTH], b[k : k + DEPTH]
        n = 0
        while n < out.shape[1]:
            for m in range(0, out.shape[0], TALL):
                piece(left, right, out, (m, n), start, k > 0)
            n += WIDTH * panel(out.shape[1] - n)


@kernel
def _product_part(state: tuple[Floats, Floats, Floats, Floats, int], part: int) -> None:
    a, b, out, start, width = state
    n, end = part * width, min(part * width + width, out.shape[1])
    product(a, b[:, n:end], out[:, n:end], start)


@kernel
def product_shared(a: Floats, b: Floats, out: Floats, threads: int) -> None:
    """Set out (M, N) to a (M, K) @ b (K, N), columns shared out among threads."""
    vectors, parts = -(-out.shape[1] // WIDTH), 2 * threads if threads > 1 else 1
    width = max(-(-vectors // parts), 1) * WIDTH
    start = np.zeros(len(a), np.float32)
    share_out(_product_part, (a, b, out, start, width), -(-out.shape[1] // width), threads)


@kernel
def transpose(source: Floats, out: Floats) -> None:
    """Set out (N, M) to the transpose of source (M, N)."""
    rows, columns = source.shape
    whole = rows - rows % WIDTH
    for i in range(0, whole, WIDTH):
        for j in range(0, columns - columns % WIDTH, WIDTH):
            transposed_square(source, (i, j), out)
        for j in range(columns - columns % WIDTH, columns):
            for k in range(i, i + WIDTH):
                out[j, k] = source[k, j]
    for i in range(whole, rows):
        for j in range(columns):
            out[j, i] = source[i, j]


@kernel
def with_one(hidden: Floats) -> Floats:
    """Return hidden states (Q, H) behind a one, (Q, H + 1): their product with what `with_bias` returns is
    hidden @ table transposed + bias.

    The bias is a term before the others, so that the sums are those of `rows.score` to the last bit.
    """
    lanes = np.empty((len(hidden), hidden.shape[1] + 1), np.float32)
    lanes[:, 0] = 1
    lanes[:, 1:] = hidden
    return lanes


@kernel
def with_bias(table: Floats, bias: Floats) -> Floats:
    """Return a table (T, H) transposed, below its biases (T,): (H + 1, T)."""
    turned = np.empty((table.shape[1] + 1, len(table)), np.float32)
    turned[0] = bias
    transpose(table, turned[1:])
    return turned


@kernel
def _linear_part(state: tuple[Floats, Floats, Floats, Floats], part: int) -> None:
    turned, weight, bias, out = state
    first = part * CHUNK
    last = min(first + CHUNK, len(weight))
    lanes = np.empty((last - first, turned.shape[1]), np.float32)
    product(weight[first:last], turned, lanes, bias[first:last])
    transpose(lanes, out[:, first:last])


@kernel
def linear_shared(x: Floats, weight: Floats, bias: Floats, out: Floats, threads: int) -> None:
    """Set out (P, N) to x (P, K) @ weight (N, K) transposed + bias (N,), the weight's rows shared out among
    threads."""
    turned = np.empty((x.shape[1], x.shape[0]), np.float32)
    transpose(x, turned)
    share_out(_linear_part, (turned, weight, bias, out), -(-len(weight) // CHUNK), threads)


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
