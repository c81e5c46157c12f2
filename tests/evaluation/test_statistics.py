"""Intervals and p-values against plain re-computations and against what they promise."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.errors import ParameterError
from recsys_gru.evaluation import compare, compare_many, holm, intervals, metrics_from_ranks
from recsys_gru.evaluation.statistics import SessionSums, bootstrap_means, permutation_p
from tests.evaluation.ledgers import random_ledger


def test_an_interval_holds_the_metric_and_narrows_with_more_sessions() -> None:
    few, many = (intervals(random_ledger(n, seed=2), ["recall"], [20]) for n in (40, 4000))
    value, low, high = many.select("value", "low", "high").row(0)
    assert value == metrics_from_ranks(random_ledger(4000, seed=2), ["recall"], [20])["recall_at_20"]
    assert low < value < high
    assert high - low < (few["high"] - few["low"])[0] / 5


def test_bootstrap_spread_equals_the_linearised_standard_error_of_a_ratio() -> None:
    generator = np.random.default_rng(3)
    counts = generator.integers(1, 8, 900).astype(np.float64)
    sums = generator.binomial(counts.astype(int), generator.beta(2, 5, 900)).astype(np.float64)
    means = bootstrap_means(SessionSums(sums[:, None], counts), 3000, np.random.default_rng(4))
    ratio = sums.sum() / counts.sum()
    error = np.sqrt(((sums - ratio * counts) ** 2).sum()) / counts.sum()
    assert means.std() == pytest.approx(error, rel=0.06)
    assert means.mean() == pytest.approx(ratio, abs=error / 5)


def test_the_bootstrap_draws_sessions_not_events() -> None:
    alike = pl.DataFrame({"session_id": np.repeat(np.arange(50), 40), "rank": np.repeat([1.0, 99.0], 1000)})
    apart = alike.with_columns(session_id=pl.int_range(pl.len()))
    widths = [
        intervals(frame, ["recall"], [5]).select(pl.col("high") - pl.col("low")).item()
        for frame in (alike, apart)
    ]
    assert widths[0] > 4 * widths[1]


def test_a_permutation_p_value_equals_full_enumeration() -> None:
    differences = np.array([[0.5], [1.0], [0.0], [-0.25], [2.0], [0.75], [-0.5]])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 7)).reshape(7, -1).T
    exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12)
    assert permutation_p(differences, 40_000, np.random.default_rng(0))[0] == pytest.approx(exact, abs=0.01)


def test_p_values_are_even_when_nothing_differs() -> None:
    generator = np.random.default_rng(7)
    differences = generator.normal(size=(60, 400))
    p_values = permutation_p(differences, 400, generator)
    assert np.mean(p_values < 0.05) == pytest.approx(0.05, abs=0.035)
    assert np.mean(p_values < 0.5) == pytest.approx(0.5, abs=0.08)


def test_equal_models_are_never_told_apart() -> None:
    ranks = random_ledger(30, seed=1)
    table = compare(ranks, ranks).table
    assert table["difference"].to_list() == [0.0] * 6
    assert table["p"].to_list() == [1.0] * 6


def test_a_better_model_is_found_better_with_a_paired_interval() -> None:
    a, b = random_ledger(400, seed=5), random_ledger(400, seed=5, shift=0.2)
    result = compare(a, b, ["recall"], [20])
    row = result.table.row(0, named=True)
    assert row["difference"] == pytest.approx(row["b"] - row["a"])
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["p"] == pytest.approx(1 / 2001)
    swapped = compare(b, a, ["recall"], [20]).table.row(0, named=True)
    assert swapped["difference"] == pytest.approx(-row["difference"])


def test_only_shared_events_are_compared_whatever_their_order() -> None:
    a = random_ledger(60, seed=5)
    b = random_ledger(60, seed=6).sample(fraction=1.0, shuffle=True, seed=1).head(100)
    result = compare(a, b, ["mrr"], [20])
    kept = a.join(b, on=["session_id", "time", "item_id"], how="semi")
    assert (result.events, result.only_a, result.only_b) == (100, a.height - 100, 0)
    assert result.table["a"][0] == pytest.approx(metrics_from_ranks(kept, ["mrr"], [20])["mrr_at_20"])
    with pytest.raises(ParameterError, match="none in common"):
        compare(a, b.with_columns(pl.col("session_id") + 10_000))


def test_the_same_seed_gives_the_same_answer_and_leaves_the_global_generator_alone() -> None:
    a, b = random_ledger(40, seed=5), random_ledger(40, seed=6)
    state = repr(np.random.get_state())  # noqa: NPY002
    assert compare(a, b, seed=3).table.equals(compare(a, b, seed=3).table)
    assert repr(np.random.get_state()) == state  # noqa: NPY002


def test_many_models_are_compared_with_one_reference_and_corrected_together() -> None:
    reference = random_ledger(200, seed=5)
    others = {"same": reference, "better": random_ledger(200, seed=5, shift=0.3)}
    table = compare_many(reference, others)
    assert table["model"].to_list() == ["better", "same"]
    assert table["p_holm"].to_list() == [pytest.approx(2 * table["p"][0]), 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_its_definition(p_values: list[float]) -> None:
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    expected, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - place)))
        expected[index] = highest
    assert holm(np.array(p_values)).tolist() == pytest.approx(expected)
