"""Counting, heaps and short lists as compiled loops, against comparisons and full sorts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.bars import NO_BARS
from recsys_gru.kernels.tiles import (
    Heaps,
    count_nearly,
    count_tile,
    push_pairs,
    push_tile,
    replace_worst,
    short_list,
)
from tests.oracles import slow_counts, slow_top_k

pytestmark = pytest.mark.kernels
CASE = {
    "rows": st.integers(1, 4),
    "items": st.integers(1, 300),
    "levels": st.sampled_from([1, 3, 1000]),
    "share": st.sampled_from([0.3, 1.0]),
    "seed": st.integers(0, 2**32 - 1),
}
TILE = 170
"""Items of a tile here: more than a chunk, fewer than all."""


def drawn(rows: int, items: int, levels: int, share: float, seed: int) -> tuple[Floats, Masks, Items]:
    """Scores of so many levels, in eighths, which items compete in each row, and a target for each."""
    generator = np.random.default_rng(seed)
    scores = (generator.integers(-levels, levels, (rows, items)) / 8).astype(np.float32)
    return scores, generator.random((rows, items)) < share, generator.integers(0, items, rows)


def empty_heaps(rows: int, k: int) -> Heaps:
    best, items = np.full((rows, k), -np.inf, np.float32), np.full((rows, k), -1, np.int32)
    return best, items, np.zeros(rows, np.bool_)


def tiles(scores: Floats, allowed: Masks) -> list[tuple[Floats, Masks, int]]:
    """Scores and masks tile by tile, with the number of the first item; no mask where all are allowed."""
    none = np.empty((0, 1), np.bool_)
    starts = range(0, scores.shape[1], TILE)
    masks = [none if allowed.all() else allowed[:, s : s + TILE].copy() for s in starts]
    return [(scores[:, s : s + TILE].copy(), mask, s) for mask, s in zip(masks, starts, strict=True)]


@given(**CASE)
def test_counts_are_those_of_comparisons(rows: int, items: int, levels: int, share: float, seed: int) -> None:
    scores, allowed, targets = drawn(rows, items, levels, share, seed)
    counts, own = np.zeros((3, rows), np.int64), scores[np.arange(rows), targets]
    for part, mask, start in tiles(scores, allowed):
        count_tile(part, mask, start, (own, targets), counts)
    expected = slow_counts(scores.tolist(), targets.tolist(), allowed.tolist())
    assert [(above, equal + 1) for above, equal in counts[:2].T.tolist()] == expected
    assert not counts[2].any()


@given(room=st.sampled_from([0, 2000]), first=st.integers(0, 2), **CASE)
def test_what_is_surely_above_and_what_may_be(
    rows: int, items: int, levels: int, share: float, seed: int, room: int, first: int
) -> None:
    scores, allowed, targets = drawn(rows, items, levels, share, seed)
    generator = np.random.default_rng(seed)
    known, errors = np.abs(scores) + 1, generator.random(rows)
    off = np.exp(errors[:, None] * generator.uniform(-1, 1, scores.shape))
    other = np.where(generator.random(scores.shape) < 0.5, 0, generator.integers(1, levels + 1, scores.shape))
    nearly = (other * off).astype(np.float32)
    true = (known + other).astype(np.float32)
    own, keep = true[np.arange(rows), targets], allowed[0]
    counts, pairs = np.zeros(rows, np.int64), (np.empty(room, np.int64), np.empty(room, np.int32))
    found = 0
    for part in (slice(0, min(first, rows)), slice(min(first, rows), rows)):  # rows begin where others end
        some = known[part].astype(np.float32), nearly[part], errors[part] + 1e-6
        if found <= room:
            kept = keep[:0] if keep.all() else keep
            found = count_nearly(some, kept, own, counts, pairs, (part.start, found))
    if found > room:
        assert not room
        return
    perhaps = np.zeros_like(allowed)
    perhaps[pairs[0][:found], pairs[1][:found]] = True
    above = true > own[:, None]
    assert (np.diff(pairs[0][:found]) >= 0).all()
    assert not perhaps[:, ~keep].any()
    assert (counts + (perhaps & above).sum(1) == (keep & above).sum(1)).all()
    assert perhaps[keep & (true == own[:, None])].all()


def test_a_target_without_a_score_is_compared_with_nothing() -> None:
    scores, own, counts = np.ones((1, 5), np.float32), np.zeros(1, np.float32), np.zeros(1, np.int64)
    pairs = np.empty(9, np.int64), np.empty(9, np.int32)
    assert (
        count_nearly((scores, scores, np.zeros(1)), np.empty(0, np.bool_), own, counts, pairs, (0, 0)) == 10
    )


@given(k=st.integers(1, 40), **CASE)
def test_heaps_hold_what_a_full_sort_does(
    rows: int, items: int, levels: int, share: float, seed: int, k: int
) -> None:
    scores, allowed, _ = drawn(rows, items, levels, share, seed)
    best, held, broken = heaps = empty_heaps(rows, k)
    for part, mask, start in tiles(scores, allowed):
        push_tile(part, mask, start, heaps)
    for row in range(rows):
        order = np.lexsort((held[row], -best[row]))
        assert held[row, order].tolist() == slow_top_k(scores[row].tolist(), k, allowed[row].tolist())
        real = held[row] >= 0
        np.testing.assert_array_equal(best[row, real], scores[row, held[row, real]])
    assert not broken.any()


@given(k=st.integers(1, 40), **CASE)
def test_pairs_enter_in_any_order(
    rows: int, items: int, levels: int, share: float, seed: int, k: int
) -> None:
    scores, allowed, _ = drawn(rows, items, levels, share, seed)
    best, held, _ = heaps = empty_heaps(rows, k)
    place, item = np.nonzero(allowed)
    order = np.random.default_rng(seed).permutation(len(place))
    push_pairs(scores[place, item][order], item[order].astype(np.int32), place[order], heaps)
    for row in range(rows):
        found = held[row, np.lexsort((held[row], -best[row]))]
        assert found.tolist() == slow_top_k(scores[row].tolist(), k, allowed[row].tolist())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_counted_and_flagged_in_its_row(bad: float) -> None:
    scores, none = np.zeros((3, 150), np.float32), np.empty((0, 1), np.bool_)
    scores[1, 140] = scores[2, 3] = scores[2, 4] = bad
    counts, heaps = np.zeros((3, 3), np.int64), empty_heaps(3, 2)
    count_tile(scores, none, 0, (np.zeros(3, np.float32), np.zeros(3, np.int64)), counts)
    push_tile(scores, none, 0, heaps)
    assert counts[2].tolist() == [0, 1, 2]
    assert heaps[2].tolist() == [False, True, True]


@given(k=st.integers(1, 40), error=st.sampled_from([0.0, 0.5, 2.0]), room=st.sampled_from([5, 300]), **CASE)
def test_a_short_list_reaches_two_errors_below_the_kth_best(
    rows: int, items: int, levels: int, share: float, seed: int, k: int, error: float, room: int
) -> None:
    scores, allowed, _ = drawn(rows, items, levels, share, seed)
    for row, mask in zip(scores, allowed, strict=True):
        kth = slow_top_k(row.tolist(), k, mask.tolist())[-1]
        floor = row[kth] - 2 * error if kth >= 0 else -np.inf
        expected = np.flatnonzero(mask & (row >= floor)).tolist()
        barred = np.flatnonzero(~mask).astype(np.int32)
        bars = NO_BARS._replace(items=barred, rows=np.full(len(barred), 3))
        short, told = short_list((row, error, False), k, bars, 3, room)
        assert told == (len(expected) <= room)
        assert not told or short.tolist() == expected
        powers = np.exp2(row / 4)
        floor = powers[kth] * np.exp(-2 * error) if kth >= 0 else -np.inf
        expected = np.flatnonzero(mask & (powers >= floor * (1 - 1e-6))).tolist()
        short, told = short_list((powers, error, True), k, bars, 3, room)
        assert told == (len(expected) <= room)
        assert not told or short.tolist() == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_there_is_no_short_list_of_what_is_not_finite(bad: float) -> None:
    scores = np.zeros(4, np.float32)
    for by_factor in (False, True):
        assert not short_list((scores, bad, by_factor), 2, NO_BARS, 0, 9)[1]
    scores[2] = bad
    for by_factor in (False, True):
        assert not short_list((scores, 0.1, by_factor), 2, NO_BARS, 0, 9)[1]


def test_what_is_as_good_as_none_is_listed_with_all_that_is() -> None:
    scores = np.array([1e-31, 0, 1e-38, 0], np.float32)
    short, told = short_list((scores, 0.1, True), 2, NO_BARS, 0, 4)
    assert (short.tolist(), told) == ([0, 1, 2, 3], True)


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 20), count=st.integers(0, 60))
def test_the_root_stays_the_worst_of_those_kept(seed: int, k: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 9, count).astype(np.float32)
    best, items = np.full(k, -np.inf, np.float32), np.full(k, -1, np.int32)
    for item, score in enumerate(scores):
        if score > best[0]:
            replace_worst(best, items, score, np.int32(item))
    order = np.lexsort((np.arange(count), -scores))[:k]
    assert sorted(items[items >= 0].tolist()) == sorted(order.tolist())
    if count >= k:
        assert (best[0], items[0]) == (scores[order[-1]], order[-1])
