"""Matrix products as loops over register-sized pieces (`machine/simd.py`).

They read their factors where they lie. A library's product copies its factors into an order of its own
first; for the thin matrices of a training step, some dozen lanes wide, that costs as much as the product. An
element is summed in the order of k whatever stands beside it: neither its neighbours nor the threads change
a bit of it.
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
PIECE = 192
"""Rows of an item table that are turned and multiplied at a time, so that they stay in the cache."""


@kernel
def _panel(columns: int) -> int:
    """Return how many vectors side by side to take next of so many columns, so that none is left over
    narrow."""
    vectors = -(-columns // WIDTH)
    return -(-vectors // -(-vectors // WIDEST))


@kernel
def _piece(a: Floats, b: Floats, out: Floats, at: tuple[int, int], start: Floats, add: bool) -> None:
    """Compute TALL rows, or a lone one, and a panel of columns of out = a @ b, from row and column `at` on;
    see `machine.simd.product_piece`."""
    vectors = _panel(out.shape[1] - at[1])
    if len(out) == 1 and vectors == WIDEST:
        product_piece(a, b, out, at, start, add, WIDEST, 1)
    elif vectors == 1:
        product_piece(a, b, out, at, start, add, 1, TALL)
    elif vectors == 2:
        product_piece(a, b, out, at, start, add, 2, TALL)
    else:
        product_piece(a, b, out, at, start, add, 3, TALL)


@kernel
def _multiply(a: Floats, b: Floats, out: Floats, start: Floats, add: bool) -> None:
    for k in range(0, a.shape[1], DEPTH):
        left, right = a[:, k : k + DEPTH], b[k : k + DEPTH]
        n = 0
        while n < out.shape[1]:
            for m in range(0, out.shape[0], TALL):
                _piece(left, right, out, (m, n), start, add or k > 0)
            n += WIDTH * _panel(out.shape[1] - n)


@kernel
def product(a: Floats, b: Floats, out: Floats, start: Floats) -> None:
    """Set out (M, N) to a (M, K) @ b (K, N) + start (M,), summed in the order of k.

    b and out lie row by row, a may lie in any way.

    Twin: NumPy, tests/kernels/test_products.py::test_sums_start_from_what_is_given.
    """
    _multiply(a, b, out, start, False)


@kernel
def add_product(a: Floats, b: Floats, out: Floats) -> None:
    """Add a (M, K) @ b (K, N) to out (M, N), as `product` would have gone on with more terms.

    Twin: `product`, tests/kernels/test_products.py::test_a_product_goes_on_to_the_same_bits.
    """
    _multiply(a, b, out, np.empty(len(a), np.float32), True)


@kernel
def _product_part(state: tuple[Floats, Floats, Floats, Floats, int], part: int) -> None:
    a, b, out, start, width = state
    n, end = part * width, min(part * width + width, out.shape[1])
    product(a, b[:, n:end], out[:, n:end], start)


@kernel
def product_shared(a: Floats, b: Floats, out: Floats, threads: int) -> None:
    """Set out (M, N) to a (M, K) @ b (K, N), columns shared out among threads.

    Twin: torch's product, tests/kernels/test_products.py::test_products_of_any_size_equal_torchs.
    """
    vectors, parts = -(-out.shape[1] // WIDTH), 2 * threads if threads > 1 else 1
    width = max(-(-vectors // parts), 1) * WIDTH
    start = np.zeros(len(a), np.float32)
    share_out(_product_part, (a, b, out, start, width), -(-out.shape[1] // width), threads)


@kernel
def transpose(source: Floats, out: Floats) -> None:
    """Set out (N, M) to the transpose of source (M, N): out[j, i] = source[i, j].

    Twin: NumPy, tests/kernels/test_products.py::test_transposing_moves_every_number_to_its_place.
    """
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
def transposed(source: Floats) -> Floats:
    """Return the transpose (N, M) of source (M, N), row by row in memory.

    Twin: NumPy, tests/kernels/test_products.py::test_transposing_moves_every_number_to_its_place.
    """
    out = np.empty((source.shape[1], source.shape[0]), np.float32)
    transpose(source, out)
    return out


@kernel
def with_one(hidden: Floats) -> Floats:
    """Return hidden states (Q, H) behind a one, (Q, H + 1): their product with what `with_bias` returns is
    hidden @ table transposed + bias.

    The bias is a term before the others, so that the sums are those of `rows.score` to the last bit.

    Twin: NumPy, tests/kernels/test_products.py::test_a_bias_is_the_term_of_a_one.
    """
    lanes = np.empty((len(hidden), hidden.shape[1] + 1), np.float32)
    lanes[:, 0] = 1
    lanes[:, 1:] = hidden
    return lanes


@kernel
def with_bias(table: Floats, bias: Floats) -> Floats:
    """Return a table (T, H) transposed, below its biases (T,): (H + 1, T).

    Twin: NumPy, tests/kernels/test_products.py::test_a_bias_is_the_term_of_a_one.
    """
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
    threads.

    Twin: torch's product, tests/kernels/test_products.py::test_products_of_any_size_equal_torchs.
    """
    share_out(_linear_part, (transposed(x), weight, bias, out), -(-len(weight) // CHUNK), threads)


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


@kernel
def _scores_part(state: tuple[Floats, Floats, Floats, Floats], part: int) -> None:
    lanes, table, bias, out = state
    first, last = part * PIECE, min(part * PIECE + PIECE, len(table))
    items = with_bias(table[first:last], bias[first:last])
    product(lanes, items, out[:, first:last], np.zeros(len(lanes), np.float32))


@kernel
def scores_shared(lanes: Floats, table: Floats, bias: Floats, out: Floats, threads: int) -> None:
    """Set out (Q, T) to the scores of items with rows (T, H) and biases (T,) for hidden states behind ones
    (Q, H + 1), the items shared out among threads: as `linear_shared` to the bit, quicker for a table that is
    long.

    Twin: torch's product, tests/kernels/test_products.py::test_products_of_any_size_equal_torchs.
    """
    share_out(_scores_part, (lanes, table, bias, out), -(-len(table) // PIECE), threads)


def scores_of(hidden: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """Return the scores (Q, T) of items with rows (T, H) and biases (T,) for hidden states (Q, H): as
    `linear` to the bit, quicker for long tables."""
    if not on_kernels(hidden):
        return linear(hidden, table, bias)
    out = hidden.new_empty(hidden.shape[0], table.shape[0])
    scores_shared(with_one(hidden.numpy()), table.numpy(), bias.numpy(), out.numpy(), n_threads())
    return out


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b, (M, N), for a (M, K), b (K, N)."""
    if not on_kernels(a):
        return a @ b
    out = a.new_empty(a.shape[0], b.shape[1])
    product_shared(a.numpy(), b.numpy(), out.numpy(), n_threads())
    return out
