"""The coarse copy of an item table: within its stated error."""

import numpy as np
import pytest
import torch

from recsys_gru.kernels.coarse import (
    OFFSET,
    STEPS,
    coarse_of,
    coarse_scores,
    dot_rows,
    exact_scores,
    fill_copy,
)
from recsys_gru.kernels.products import scores_of


@pytest.mark.kernels
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("units", [1, 7, 100])
def test_every_order_of_summing_stays_within_the_stated_error(scale: float, units: int) -> None:
    generator = np.random.default_rng(units)
    table = (scale * generator.normal(size=(200, units))).astype(np.float32)
    table[3] = 0
    table[4] *= 100
    bias, hidden = generator.normal(size=200).astype(np.float32) * np.float32(scale), table[5].copy()
    coarse = coarse_of(table, bias)
    assert coarse is not None
    scores, error = coarse_scores(coarse, bias, hidden)
    twin = table.astype(np.float64) @ hidden.astype(np.float64) + bias
    assert np.abs(scores - twin).max() <= error
    for _ in range(5):
        order = generator.permutation(units)
        summed = np.add.accumulate(table[:, order] * hidden[order], axis=1, dtype=np.float32)[:, -1] + bias
        assert np.abs(summed.astype(np.float64) - scores).max() <= error
    largest, norm = float(np.abs(table).max()), float(np.linalg.norm(hidden.astype(np.float64)))
    steps = largest / 254 * units**0.5 * norm
    assert error <= 1.01 * steps + 4e-5 * (units + 64) * max(np.abs(twin).max(), scale * scale)


@pytest.mark.kernels
@pytest.mark.parametrize("units", [1, 7, 100])
def test_a_row_is_rounded_to_whole_steps(units: int) -> None:
    table = np.random.default_rng(units).standard_normal((50, units), np.float32)
    table[3], table[4] = 0, 100 * table[4]
    rows, scales = np.full((50, 128), 99, np.int8), np.empty(50, np.float32)
    offsets = np.empty(50, np.int32)
    residual, longest = fill_copy(table, rows, scales, offsets)
    np.testing.assert_allclose(scales, np.abs(table).max(1) / STEPS, rtol=1e-6)
    left = table.astype(np.float64) - scales[:, None].astype(np.float64) * rows[:, :units]
    assert (np.abs(left) <= 0.5001 * scales[:, None]).all()
    assert residual == pytest.approx((left**2).sum(1).max())
    assert longest == pytest.approx((table.astype(np.float64) ** 2).sum(1).max())
    assert not rows[:, units:].any()
    np.testing.assert_array_equal(offsets, OFFSET * rows.sum(1, dtype=np.int32))


@pytest.mark.kernels
@pytest.mark.parametrize("width", [64, 128])
def test_rough_scores_are_the_product_of_the_copy(width: int) -> None:
    generator = np.random.default_rng(width)
    rows, scales = generator.integers(-STEPS, STEPS + 1, (70, width)), generator.random(70, np.float32)
    bias, hidden = generator.standard_normal(70, np.float32), generator.standard_normal(width, np.float32)
    scores = np.empty(70, np.float32)
    dot_rows(rows.astype(np.int8), scales, bias, hidden, scores)
    twin = scales * (rows @ hidden.astype(np.float64)) + bias
    np.testing.assert_allclose(scores, twin, atol=1e-5 * STEPS * width)


@pytest.mark.kernels
@pytest.mark.parametrize("items", [1, 7, 50])
def test_exact_scores_are_those_of_a_product(items: int) -> None:
    generator = np.random.default_rng(items)
    table, bias, hidden = (
        generator.integers(-9, 10, shape).astype(np.float32) for shape in ((300, 33), 300, 33)
    )
    chosen = generator.integers(0, 300, items).astype(np.int32)
    np.testing.assert_array_equal(exact_scores(table, bias, hidden, chosen), (table @ hidden + bias)[chosen])


@pytest.mark.parametrize("items", [1, 7, 50])
def test_exact_scores_are_those_of_a_tile_to_the_last_bit(items: int) -> None:
    generator = torch.Generator().manual_seed(items)
    table, bias = torch.randn(300, 33, generator=generator), torch.randn(300, generator=generator)
    hidden = torch.randn(5, 33, generator=generator)
    chosen = np.random.default_rng(items).integers(0, 300, items).astype(np.int32)
    found = exact_scores(table.numpy(), bias.numpy(), hidden[2].numpy(), chosen)
    np.testing.assert_array_equal(found, scores_of(hidden, table, bias)[2].numpy()[chosen])


@pytest.mark.kernels
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_there_is_no_copy_of_what_is_not_finite(bad: float) -> None:
    table = np.ones((4, 3), np.float32)
    table[2, 1] = bad
    assert coarse_of(table, np.zeros(4, np.float32)) is None
