"""What last clicks have added to their scores, against torch."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from recsys_gru.kernels.repeats import add_to_pairs, clicked_before, last_items, raise_nearly
from recsys_gru.model.repeats import raise_repeats, through_repeats

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("pushes", [False, True])
def test_last_clicks_are_raised_and_learned_from(pushes: bool) -> None:
    generator = np.random.default_rng(3)
    by_column = generator.standard_normal((6, 4)).astype(np.float32)
    numbers = torch.tensor([[0.5, -2.0, 1.0]])
    at = torch.tensor([[0, 5, -1], [2, -1, -1], [-1, -1, -1], [1, 2, 3]])
    expected = by_column.T.astype(np.float64)
    targets, slopes = torch.tensor([5, 0, 1, 2]), np.zeros(3)
    left = np.ones_like(expected)
    for row, columns in enumerate(at.tolist()):
        for d, column in enumerate(columns):
            if column >= 0:
                expected[row, column] += float(numbers[0, d])
                slopes[d] += expected[row, column]
                left[row, column] = pushes or column == targets[row]
    for kind in (torch.float32, torch.float64):  # compiled, and by torch
        scores = torch.from_numpy(by_column.copy()).to(kind).T
        raise_repeats(scores, at, numbers.to(kind))
        torch.testing.assert_close(scores.double(), torch.from_numpy(expected))
        found = through_repeats(scores, at, targets, pushes)
        torch.testing.assert_close(found.double()[0], torch.from_numpy(slopes))
        torch.testing.assert_close(scores.double(), torch.from_numpy(left * expected))


def test_pairs_are_found_in_any_order() -> None:
    generator = np.random.default_rng(4)
    rows, items = np.nonzero(generator.random((5, 9)) < 0.4)
    numbers = generator.standard_normal(len(rows)).astype(np.float32)
    told = dict(zip(zip(rows.tolist(), items.tolist(), strict=True), numbers.tolist(), strict=True))
    asked = generator.integers(0, 6, 50), generator.integers(0, 9, 50).astype(np.int32)
    scores = np.zeros(50, np.float32)
    add_to_pairs(scores, asked, (rows, items.astype(np.int32), numbers))
    pairs = zip(asked[0].tolist(), asked[1].tolist(), strict=True)
    assert scores.tolist() == [told.get(pair, 0) for pair in pairs]


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_raised_scores_are_as_near_as_is_told(bad: float) -> None:
    generator = np.random.default_rng(7)
    exact, off = generator.standard_normal((4, 9), np.float32), np.array([0.0, 1e-6, 0.3, bad])
    scores = (exact + off[:, None] * generator.uniform(-1, 1, exact.shape)).astype(np.float32)
    rows, items = np.nonzero(generator.random((4, 9)) < 0.5)
    numbers = (100 * generator.standard_normal(len(rows))).astype(np.float32)
    expected, errors = scores.copy(), np.abs(scores.astype(np.float64) - exact).max(axis=1)
    expected[rows, items] += numbers
    exact[rows, items] += numbers
    before = errors.copy()
    raise_nearly(scores, errors, (rows, items.astype(np.int32), numbers))
    assert np.array_equal(scores, expected, equal_nan=True)
    assert np.isfinite(errors).tolist() == [True, True, True, bad == 0]
    known = np.isfinite(errors)
    assert (np.abs(scores[known].astype(np.float64) - exact[known]) <= errors[known, None]).all()
    assert (errors[known] <= before[known] + 1e-6 * np.abs(scores[known]).max()).all()


def test_what_comes_again_is_what_a_set_holds() -> None:
    generator = np.random.default_rng(5)
    offsets = np.array([0, 0, 1, 9, 60])
    items = generator.integers(9, size=60).astype(np.int32)
    expected: list[bool] = []
    for first, end in pairwise(offsets):
        seen: set[int] = set()
        for item in items[first:end].tolist():
            expected.append(item in seen)
            seen.add(item)
    assert clicked_before(items, offsets).tolist() == expected


def test_last_items_are_those_of_a_dictionary() -> None:
    generator = np.random.default_rng(6)
    items = generator.integers(9, size=40).astype(np.int32)
    ends = np.arange(40)
    firsts = np.where(ends < 25, 0, 25)
    for most in (1, 2, 7, 50):
        offsets, found, back, rows = last_items(items, firsts, ends, most)
        assert (rows == np.repeat(ends, np.diff(offsets))).all()
        for q, end in enumerate(ends):
            latest: dict[int, int] = {}
            for d in range(min(most, end - firsts[q] + 1)):
                latest.setdefault(int(items[end - d]), d)
            row = slice(offsets[q], offsets[q + 1])
            assert dict(zip(found[row].tolist(), back[row].tolist(), strict=True)) == latest
            assert (np.diff(found[row]) > 0).all()
