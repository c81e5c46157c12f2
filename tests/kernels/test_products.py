"""Compiled matrix products against torch's, their bits under threads and neighbours, and the sharing out of
parts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recsys_gru.kernels.arrays import Items
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.machine.threads import n_threads, share_out
from recsys_gru.kernels.products import (
    add_product,
    linear,
    matmul,
    on_kernels,
    product,
    scores_of,
    transpose,
    transposed,
    with_bias,
    with_one,
)
from tests.threads import torch_threads

SIZES = st.tuples(*(st.integers(1, 150) for _ in range(3)))
RUNS = 50


def matrix(rows: int, columns: int, seed: int, *, turned: bool = False) -> Tensor:
    """A matrix of whole numbers, whose products are exact in single precision; `turned`: it lies column by
    column."""
    shape = (columns, rows) if turned else (rows, columns)
    drawn = np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)
    return torch.from_numpy(drawn.T if turned else drawn)


@pytest.mark.kernels
@given(size=SIZES, turned=st.booleans(), threads=st.integers(1, 3))
def test_products_of_any_size_equal_torchs(size: tuple[int, int, int], turned: bool, threads: int) -> None:
    m, n, k = size
    a, b, bias = matrix(m, k, 1, turned=turned), matrix(k, n, 2), matrix(1, n, 3)[0]
    weight = b.T.contiguous()
    with torch_threads(threads):
        assert torch.equal(matmul(a, b), a @ b)
        assert torch.equal(linear(a.contiguous(), weight, bias), a @ b + bias)
        assert torch.equal(scores_of(a.contiguous(), weight, bias), a @ b + bias)
        # a weight seen through a transposition is no other case
        assert torch.equal(linear(a.contiguous(), b.T, bias), a @ b + bias)


def test_a_long_sum_is_taken_piece_by_piece_and_stays_the_sum() -> None:
    a, b = torch.rand(9, 1000), torch.rand(1000, 33)
    torch.testing.assert_close(matmul(a, b).double(), a.double() @ b.double(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["matmul", "linear", "scores_of"])
def test_no_bit_of_a_row_depends_on_what_stands_beside_it(form: str) -> None:
    x, b = torch.randn(97, 300), torch.randn(300, 75)
    bias = torch.randn(75)
    weight = b.T.contiguous()

    def product(part: Tensor) -> Tensor:
        if form == "matmul":
            return matmul(part, b)
        return (linear if form == "linear" else scores_of)(part, weight, bias)

    whole = product(x)
    for first, last in [(0, 1), (5, 12), (60, 97), (96, 97)]:
        assert torch.equal(product(x[first:last]), whole[first:last])


@pytest.mark.kernels
@pytest.mark.parametrize("size", [(1, 51, 17), (1, 200, 33), (20, 300, 100)])
def test_no_bit_of_a_product_depends_on_the_threads(size: tuple[int, int, int]) -> None:
    a, b = torch.randn(size[0], size[1]), torch.randn(size[1], size[2])
    found = []
    for threads in (1, 2, 5):
        with torch_threads(threads):
            found.append(matmul(a, b))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_other_devices_and_precisions_take_torchs_product() -> None:
    a, b, bias = torch.randn(3, 4).double(), torch.randn(4, 5).double(), torch.randn(5).double()
    assert torch.equal(matmul(a, b), a @ b)
    assert torch.equal(linear(a, b.T, bias), torch.addmm(bias, a, b))
    assert not on_kernels(a)


@pytest.mark.kernels
@given(rows=st.integers(0, 70), columns=st.integers(0, 70))
def test_transposing_moves_every_number_to_its_place(rows: int, columns: int) -> None:
    source = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    found = np.full((columns, rows), -1, np.float32)
    transpose(source, found)
    np.testing.assert_array_equal(found, source.T)
    np.testing.assert_array_equal(transposed(source), source.T)


@pytest.mark.kernels
@given(size=SIZES, turned=st.booleans())
def test_sums_start_from_what_is_given(size: tuple[int, int, int], turned: bool) -> None:
    m, n, k = size
    a, b, start = matrix(m, k, 1, turned=turned).numpy(), matrix(k, n, 2).numpy(), matrix(1, m, 3).numpy()[0]
    out = np.empty((m, n), np.float32)
    product(a, b, out, start)
    np.testing.assert_array_equal(out, a @ b + start[:, None])


@pytest.mark.kernels
@given(size=SIZES)
def test_a_bias_is_the_term_of_a_one(size: tuple[int, int, int]) -> None:
    q, t, units = size
    hidden, table, bias = (matrix(*shape, 4).numpy() for shape in ((q, units), (t, units), (1, t)))
    found = with_one(hidden) @ with_bias(table, bias[0])
    np.testing.assert_array_equal(found, hidden @ table.T + bias)


@kernel
def _count(state: tuple[Items, Items], part: int) -> None:
    visits, size = state
    for i in range(part * size[0], part * size[0] + size[0]):
        visits[i] += part + 1


@kernel
def _visit(visits: Items, size: Items, parts: int, threads: int) -> None:
    share_out(_count, (visits, size), parts, threads)


@pytest.mark.kernels
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("parts", [0, 1, 3, 1000])
def test_every_part_is_done_once_by_any_number_of_threads(parts: int, threads: int) -> None:
    size = np.array([7])
    for _ in range(RUNS):
        visits = np.zeros(parts * 7, np.int64)
        _visit(visits, size, parts, threads)
        np.testing.assert_array_equal(visits, np.repeat(np.arange(parts) + 1, 7))


def test_kernels_use_as_many_threads_as_torch() -> None:
    for threads in (1, 3):
        with torch_threads(threads):
            assert n_threads() == threads


@pytest.mark.kernels
@pytest.mark.parametrize("turned", [False, True])
def test_a_product_goes_on_to_the_same_bits(turned: bool) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(9, 300)).astype(np.float32), rng.normal(size=(300, 33)).astype(np.float32)
    a = np.asfortranarray(a) if turned else a
    whole, parts = np.empty((9, 33), np.float32), np.zeros((9, 33), np.float32)
    product(a, b, whole, np.zeros(9, np.float32))
    for begin in range(0, 300, 70):
        add_product(a[:, begin : begin + 70], b[begin : begin + 70], parts)
    assert np.array_equal(whole, parts)
