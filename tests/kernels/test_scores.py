"""Scores ranked as they are made, by compiled loops, against NumPy's product, comparisons and full sorts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.kernels.arrays import Floats, Masks
from recsys_gru.kernels.products import with_one
from recsys_gru.kernels.scores import count_shared, offer_shared, own_scores
from tests.oracles import slow_counts, slow_top_k

pytestmark = pytest.mark.kernels
CASE = {
    "rows": st.integers(1, 140),
    "items": st.integers(2, 60),
    "units": st.integers(1, 20),
    "share": st.sampled_from([0.3, 1.0]),
    "seed": st.integers(0, 2**32 - 1),
    "threads": st.integers(1, 2),
}


def model_of(rows: int, items: int, units: int, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Hidden states (Q, H), a table (N, H) and biases (N,) of whole numbers, and their exact scores."""
    generator = np.random.default_rng(seed)
    hidden, table, bias = (
        generator.integers(-2, 3, shape).astype(np.float32)
        for shape in ((rows, units), (items, units), items)
    )
    return hidden, table, bias, hidden @ table.T + bias


def mask_of(scores: Floats, share: float, seed: int) -> Masks:
    return np.random.default_rng(seed + 1).random(scores.shape) < share


@settings(max_examples=30)
@given(k=st.integers(1, 9), **CASE)
def test_offers_leave_what_a_full_sort_of_the_product_does(
    rows: int, items: int, units: int, share: float, seed: int, threads: int, k: int
) -> None:
    hidden, table, bias, scores = model_of(rows, items, units, seed)
    allowed, half = mask_of(scores, share, seed), items // 2
    best, held = np.full((rows, k), -np.inf, np.float32), np.full((rows, k), -1, np.int32)
    heaps = best, held, np.zeros(rows, np.bool_)
    for start, stop in ((0, half), (half, items)):
        mask = np.ascontiguousarray(allowed[:, start:stop])
        offer_shared(with_one(hidden), (table[start:stop], bias[start:stop]), mask, start, heaps, threads)
    for row in range(rows):
        order = np.lexsort((held[row], -best[row]))
        assert held[row, order].tolist() == slow_top_k(scores[row].tolist(), k, allowed[row].tolist())


@settings(max_examples=30)
@given(**CASE)
def test_counts_are_those_of_the_product(
    rows: int, items: int, units: int, share: float, seed: int, threads: int
) -> None:
    hidden, table, bias, scores = model_of(rows, items, units, seed)
    allowed, half = mask_of(scores, share, seed), items // 2
    targets = np.random.default_rng(seed).integers(0, items, rows)
    counts, own = np.zeros((3, rows), np.int64), scores[np.arange(rows), targets]
    for start, stop in ((0, half), (half, items)):
        mask, tile = np.ascontiguousarray(allowed[:, start:stop]), (table[start:stop], bias[start:stop])
        count_shared(with_one(hidden), tile, mask, start, (own, targets), counts, threads)
    expected = slow_counts(scores.tolist(), targets.tolist(), allowed.tolist())
    assert [(above, equal + 1) for above, equal in counts[:2].T.tolist()] == expected


@given(rows=CASE["rows"], items=CASE["items"], units=CASE["units"], seed=CASE["seed"])
def test_an_own_score_is_the_product_of_two_rows(rows: int, items: int, units: int, seed: int) -> None:
    hidden, table, bias, scores = model_of(rows, items, units, seed)
    asked = np.sort(np.random.default_rng(seed).integers(0, rows, 2 * rows))
    chosen = np.random.default_rng(seed).integers(0, items, 2 * rows).astype(np.int32)
    found = own_scores(table, bias, hidden, asked, chosen)
    np.testing.assert_array_equal(found, scores[asked, chosen])
