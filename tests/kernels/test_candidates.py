"""The distinct items of windows as a compiled loop, against dictionaries."""

from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.arrays import Reals
from recsys_gru.kernels.candidates import distinct

pytestmark = pytest.mark.kernels
N_ITEMS = 9
WINDOWS = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=4)


class Told(NamedTuple):
    """What `distinct` tells, as lists."""

    made: list[list[int]]
    rows: list[int]
    drawn: list[list[float]]
    target_at: list[int]
    input_at: list[list[int]]


def by_dictionaries(
    windows: list[list[int]],
    places: tuple[list[int], list[list[int]], list[list[int]]],
    weights: list[list[float]],
    inputs_too: bool,
) -> Told:
    """Number and count window after window; the arguments are those of `distinct`."""
    targets, samples, inputs = places
    found, begin = Told([], [], [], [], []), 0
    for window, chosen in zip(windows, samples, strict=True):
        end = begin + sum(window)
        beside = [item for item in chain.from_iterable(inputs[begin:end]) if item >= 0 and inputs_too]
        number = {item: n for n, item in enumerate(dict.fromkeys([*targets[begin:end], *chosen, *beside]))}
        for lanes, last in zip(window, accumulate(window), strict=True):
            own = targets[begin + last - lanes : begin + last]
            for item in number:
                often = own.count(item), chosen.count(item)
                found.drawn.append([sum(often), often[0] * weights[0][item] + often[1] * weights[1][item]])
        n_candidates = len(number)
        for item in chain.from_iterable(inputs[begin:end]):
            number.setdefault(item, len(number)) if item >= 0 else None
        found.made.append([n_candidates, len(number)])
        found.rows.extend(number)
        found.target_at.extend(number[item] for item in targets[begin:end])
        found.input_at.extend([number.get(item, -1) for item in row] for row in inputs[begin:end])
        begin = end
    return found


@given(
    windows=WINDOWS,
    n_sample=st.integers(0, 4),
    tied=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    single=st.booleans(),
    inputs_too=st.booleans(),
)
def test_rows_are_numbered_and_counted_by_first_use(
    windows: list[list[int]], n_sample: int, tied: bool, seed: int, single: bool, inputs_too: bool
) -> None:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, N_ITEMS, sum(map(sum, windows)))
    inputs = generator.integers(-1, N_ITEMS, (len(targets) if tied else 0, 3))
    samples = generator.integers(0, N_ITEMS, (len(windows), n_sample))
    quarters = generator.integers(1, 9, (2, N_ITEMS)) / 4  # whose sums are exact
    weights: Reals = quarters.astype(np.float32) if single else quarters
    listed = targets.tolist(), samples.tolist(), inputs.tolist()
    expected = by_dictionaries(windows, listed, weights.tolist(), inputs_too)

    rows, unset = np.empty(len(expected.rows), np.int64), np.full((2, len(expected.drawn)), -1.0)
    drawn: Reals = unset.astype(np.float32) if single else unset
    target_at, input_at = np.empty_like(targets), np.empty_like(inputs)
    slots, steps = np.full(N_ITEMS, -1, np.int32), np.array([len(window) for window in windows])
    sizes = steps, np.array([lanes for window in windows for lanes in window])
    found = (rows, drawn, target_at, input_at)
    made = distinct((targets, samples, inputs), sizes, weights, slots, found, inputs_too)
    assert made.T.tolist() == expected.made
    assert rows.tolist() == expected.rows
    assert drawn.T.tolist() == expected.drawn
    assert (target_at.tolist(), input_at.tolist()) == (expected.target_at, expected.input_at)
    assert (slots == -1).all()


def test_distinct_rows_put_candidates_first_and_sum_the_weights_of_their_draws() -> None:
    slots, rows, drawn = np.full(9, -1, np.int32), np.empty(9, np.int64), np.empty((2, 9))
    target_at, input_at = np.empty(3, np.int64), np.empty((3, 1), np.int64)
    weights = np.array([np.arange(9) / 10, np.arange(9) / 100])
    places = (np.array([3, 5, 7]), np.array([[5, 7, 5], [7, 1, 1]]), np.array([[8], [3], [3]]))
    sizes = np.array([1, 1]), np.array([2, 1])  # steps of each window, targets of each step
    made = distinct(places, sizes, weights, slots, (rows, drawn, target_at, input_at), False)
    assert made.tolist() == [[3, 2], [4, 3]]
    assert rows[:7].tolist() == [3, 5, 7, 8, 7, 1, 3]
    assert drawn[0, :5].tolist() == [1, 3, 1, 2, 2]
    np.testing.assert_allclose(drawn[1, :5], [0.3, 0.5 + 2 * 0.05, 0.07, 0.7 + 0.07, 2 * 0.01])
    assert target_at.tolist() == [0, 1, 0]
    assert input_at.tolist() == [[3], [0], [2]]
    assert (slots == -1).all()
