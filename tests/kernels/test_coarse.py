"""The coarse copy of an item table: within its stated error, and never older than the table."""

import numpy as np
import pytest
import torch

from recsys_gru.kernels.coarse import CoarseCopy, coarse_of, coarse_scores, exact_scores
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
    coarse = coarse_of(table)
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


@pytest.mark.parametrize("items", [1, 7, 50])
def test_exact_scores_are_those_of_a_product_to_the_last_bit(items: int) -> None:
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
    assert coarse_of(table) is None


@pytest.mark.kernels
def test_a_copy_is_kept_until_the_table_changes_and_none_is_made_meanwhile() -> None:
    table, copy = torch.ones(4, 3), CoarseCopy()
    first = copy.of(table)
    assert first is not None
    assert copy.of(table) is first
    with copy.changing():
        assert copy.of(table) is None
        table[1] = 2
    second = copy.of(table)
    assert second is not None
    assert second.scales[1] == np.float32(2 / 127)
    assert copy.of(table.double()) is None
