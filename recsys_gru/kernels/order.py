"""Rows by session and time, in time linear in the rows."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Items
from recsys_gru.kernels.machine.jit import kernel

_SHORT = 32  # insertion sort is the faster one up to here


@kernel
def number_equal(hashes: NDArray[np.uint64]) -> tuple[Items, Items]:
    """Number equal hashes from 0 by first appearance: the number of each row, (n,), and the first row of
    each number.

    Twin: `list.index`, tests/kernels/test_order.py::test_equal_hashes_get_one_number_by_first_appearance.
    """
    size = 16
    while size < 2 * len(hashes):
        size *= 2
    table = np.full(size, -1, dtype=np.int32)  # open addressing
    numbers = np.empty(len(hashes), dtype=np.int64)
    firsts = np.empty(len(hashes), dtype=np.int64)
    n_found = 0
    for row in range(len(hashes)):
        place = int(hashes[row] >> np.uint64(8)) & (size - 1)
        while table[place] >= 0 and hashes[firsts[table[place]]] != hashes[row]:
            place = (place + 1) & (size - 1)
        if table[place] < 0:
            table[place] = n_found
            firsts[n_found] = row
            n_found += 1
        numbers[row] = table[place]
    return numbers, firsts[:n_found].copy()


@kernel
def _insertion_sort(rows: Items, times: Items) -> None:
    """Sort rows by time, in place; equal ones stay as they were."""
    for end in range(1, len(rows)):
        row, place = rows[end], end
        while place > 0 and times[rows[place - 1]] > times[row]:
            rows[place] = rows[place - 1]
            place -= 1
        rows[place] = row


@kernel
def event_order(sessions: Items, times: Items, n_sessions: int) -> Items:
    """The rows by session (0..n_sessions-1), then time, equal ones as they come; (n,) int64.

    Twin: `sorted`, tests/kernels/test_order.py::test_rows_go_by_session_and_time_and_ties_as_they_came.
    """
    ends = np.zeros(n_sessions + 1, dtype=np.int64)
    for session in sessions:
        ends[session + 1] += 1
    ends = np.cumsum(ends)
    free = ends[:-1].copy()
    order = np.empty(len(sessions), dtype=np.int64)
    for row in range(len(sessions)):
        order[free[sessions[row]]] = row
        free[sessions[row]] += 1
    for session in range(n_sessions):
        rows = order[ends[session] : ends[session + 1]]
        if len(rows) > _SHORT:
            rows[:] = rows[np.argsort(times[rows], kind="mergesort")]
        else:
            _insertion_sort(rows, times)
    return order
