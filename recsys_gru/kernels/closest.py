"""The most similar items of each item, by how many sessions hold both; of rows that changed alone."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.machine.jit import in_order

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int32]
Counts = tuple[Items, Numbers, Doubles]
"""Offsets (N + 1,), items and values of a symmetric matrix's upper triangle, items of a row ascending."""
Rows = tuple[Items, Numbers, Floats]
"""Offsets (N + 1,), items and values of a matrix (N, N), items of a row ascending."""


@in_order
def closest(
    counts: Counts, touched: Masks, weights: tuple[Doubles, Doubles], places: Items, most: int, before: Rows
) -> Rows:
    """Return the `most` largest scores of each row, without the diagonal; of equal ones those of the items
    with the lowest places (N,).

    score(j | i) = counts[i, j] / (weights[0][i] * weights[1][j])

    Rows are as they were `before` (N, N) where neither their item nor another one that they count is touched.

    Twin: lists that are sorted, tests/kernels/test_closest.py::test_the_closest_are_those_of_sorted_lists.
    """
    offsets, numbers, _ = counts
    stale = touched.copy()
    for low in range(len(touched)):
        for high in numbers[offsets[low] : offsets[low + 1]]:
            stale[low] |= touched[high]
            stale[high] |= touched[low]
    begins, found, scores = _scores(counts, stale, weights)
    ends = np.zeros(len(touched) + 1, np.int64)
    for row in range(len(touched)):
        old = before[0][row + 1] - before[0][row]
        ends[row + 1] = ends[row] + (min(begins[row + 1] - begins[row], most) if stale[row] else old)
    items, values = np.empty(ends[-1], np.int32), np.empty(ends[-1], np.float32)
    for row in range(len(touched)):
        here, there = slice(ends[row], ends[row + 1]), slice(begins[row], begins[row + 1])
        if stale[row]:
            _keep(found[there], scores[there], places, items[here], values[here])
        else:
            items[here] = before[1][before[0][row] : before[0][row + 1]]
            values[here] = before[2][before[0][row] : before[0][row + 1]]
    return ends, items, values


@in_order
def _scores(counts: Counts, stale: Masks, weights: tuple[Doubles, Doubles]) -> tuple[Items, Numbers, Doubles]:
    """Return offsets (N + 1,), items, ascending, and scores of whole rows, where they are stale."""
    offsets, numbers, shared = counts
    begins = np.zeros(len(stale) + 1, np.int64)
    for low in range(len(stale)):
        for high in numbers[offsets[low] : offsets[low + 1]]:
            if high != low:
                begins[low + 1] += stale[low]
                begins[high + 1] += stale[high]
    begins = np.cumsum(begins)
    filled, found = begins.copy(), np.empty(begins[-1], np.int32)
    scores = np.empty(begins[-1], np.float64)
    for low in range(len(stale)):
        for place in range(offsets[low], offsets[low + 1]):
            high = np.int64(numbers[place])
            if high == low:
                continue
            for row, other in ((low, high), (high, low)):
                if stale[row]:
                    found[filled[row]] = other
                    scores[filled[row]] = shared[place] / (weights[0][row] * weights[1][other])
                    filled[row] += 1
    return begins, found, scores


@in_order
def _keep(found: Numbers, scores: Doubles, places: Items, items: Numbers, values: Floats) -> None:
    """Write as many of a row's items and scores as there is room for, the best, in their order."""
    most = len(items)
    bar, last = -np.inf, np.int64(len(places))
    if len(found) > most:
        bar = np.partition(scores, len(found) - most)[len(found) - most]
        tied = places[found[scores == bar]]
        room = most - (scores > bar).sum()
        last = np.partition(tied, room - 1)[room - 1]
    at = 0
    for place in range(len(found)):
        if scores[place] > bar or (scores[place] == bar and places[found[place]] <= last):
            items[at], values[at] = found[place], scores[place]
            at += 1
