"""The closest items against lists that are sorted; rows that did not change against all made anew."""

import numpy as np
import pytest
from scipy import sparse

from recsys_gru.kernels.arrays import Items, Masks
from recsys_gru.kernels.closest import Rows, closest

pytestmark = pytest.mark.kernels
ITEMS, MOST = 12, 4


def drawn(rng: np.random.Generator, sessions: int) -> sparse.csr_array:
    """How many sessions hold two items, or one on the diagonal: the upper triangle."""
    holds = rng.random((sessions, ITEMS)) < np.linspace(0.05, 0.5, ITEMS)
    return sparse.csr_array(np.triu(holds.T.astype(np.float64) @ holds))


def made(counts: sparse.csr_array, touched: Masks, order: Items, before: Rows) -> Rows:
    """The rows by the loop."""
    triangle = counts.indptr.astype(np.int64), counts.indices.astype(np.int32), counts.data
    count = counts.diagonal() + 0.5
    return closest(triangle, touched, (count**0.25, count**0.75), order, MOST, before)


def sorted_lists(counts: sparse.csr_array, order: Items) -> list[dict[int, np.float32]]:
    """Each row's best items with their scores."""
    table, count = counts.toarray(), counts.diagonal() + 0.5
    both = table + table.T
    found = []
    for i in range(ITEMS):
        scores = {j: both[i, j] / (count[i] ** 0.25 * count[j] ** 0.75) for j in range(ITEMS) if j != i}
        best = sorted((j for j in scores if scores[j] > 0), key=lambda j: (-scores[j], order[j]))[:MOST]
        found.append({j: np.float32(scores[j]) for j in sorted(best)})
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_closest_are_those_of_sorted_lists(seed: int) -> None:
    rng = np.random.default_rng(seed)
    order, nothing = rng.permutation(ITEMS), np.zeros(ITEMS + 1, np.int64)
    before: Rows = (nothing, np.empty(0, np.int32), np.empty(0, np.float32))
    older, newer = drawn(rng, 30), drawn(rng, 2)
    assert 0 < (newer.diagonal() > 0).sum() < ITEMS
    for counts, added in ((older, older), (sparse.csr_array(older + newer), newer)):
        before = made(counts, added.diagonal() > 0, order, before)
        offsets, items, values = before
        for i, expected in enumerate(sorted_lists(counts, order)):
            row = slice(offsets[i], offsets[i + 1])
            assert dict(zip(items[row].tolist(), values[row], strict=True)) == expected
            assert (np.diff(items[row]) > 0).all()


def test_rows_are_left_alone_where_nothing_is_touched() -> None:
    rng = np.random.default_rng(1)
    counts, order = drawn(rng, 30), np.arange(ITEMS)
    everything, rare = np.ones(ITEMS, np.bool_), np.arange(ITEMS) == 0
    nothing = np.zeros(ITEMS + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    offsets, items, values = made(counts, everything, order, nothing)
    marked = offsets, items, values + 1
    for one, other in zip(made(counts, ~everything, order, marked), marked, strict=True):
        np.testing.assert_array_equal(one, other)
    stale = ((counts.toarray()[0] > 0) | rare).repeat(np.diff(offsets))
    assert 0 < stale.sum() < len(stale)
    assert (made(counts, rare, order, marked)[2] == np.where(stale, values, values + 1)).all()
