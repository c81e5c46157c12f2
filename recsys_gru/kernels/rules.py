"""What the rules of the filter take out of a log, session after session."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Items, Masks
from recsys_gru.kernels.machine.jit import kernel


class Rows(NamedTuple):
    """The readable rows of a bucket, session after session, each by time and item.

    Attributes:
        items: item numbers, (n,) int32.
        times: microseconds since 1970 UTC, (n,) int64.
        levels: the place of the rule that took the row in the list of rules, (n,) int8; its length where the
            row is kept.
        sizes: rows of each session, int64.
    """

    items: NDArray[np.int32]
    times: Items
    levels: NDArray[np.int8]
    sizes: Items


class Law(NamedTuple):
    """What is decided over the whole log, and the levels of the rules that follow from it.

    Attributes:
        begin: where training begins, microseconds.
        cut: where training ends and testing begins, microseconds.
        min_length: events that a training session needs.
        window: the level of rows before ``begin``.
        cut_off: the level of rows after the cut of sessions that began before it.
        rare: the level of rows of rare items.
        short: the level of rows of short sessions.
        unknown: the level of test rows whose item training lacks.
        kept: the level of rows that no rule took.
    """

    begin: int
    cut: int
    min_length: int
    window: int
    cut_off: int
    rare: int
    short: int
    unknown: int
    kept: int


@kernel
def _level(time: int, too_rare: bool, law: Law) -> int:
    """The level of a training row by itself."""
    if time < law.begin:
        return law.window
    if time >= law.cut:
        return law.cut_off
    return law.rare if too_rare else law.kept


@kernel
def judge(rows: Rows, law: Law, rare: Masks, support: Items) -> None:
    """Give each row of a training session that breaks a rule its level, and count the others by item in
    ``support`` (N,): first window, cut and ``rare`` items (N,), then sessions left too short.

    Twin: lists, tests/kernels/test_rules.py::test_rows_are_judged_one_rule_after_the_other.
    """
    end = 0
    for size in rows.sizes:
        start, end, left = end, end + size, 0
        first = start
        while first < end and rows.levels[first] != law.kept:
            first += 1
        if first == end or rows.times[first] >= law.cut:
            continue
        for row in range(first, end):
            if rows.levels[row] == law.kept:
                rows.levels[row] = _level(rows.times[row], rare[rows.items[row]], law)
                left += rows.levels[row] == law.kept
        for row in range(first, end):
            if rows.levels[row] == law.kept and left < law.min_length:
                rows.levels[row] = law.short
            elif rows.levels[row] == law.kept:
                support[rows.items[row]] += 1


@kernel
def outline(rows: Rows, law: Law, support: Items) -> tuple[NDArray[np.int8], Items, Items]:
    """Mark test rows of items without support (N,) as unknown, and give of each session the part (-1 none, 0
    train, 1 test: it begins at or after the cut), its start and its events.

    Twin: lists, tests/kernels/test_rules.py::test_a_session_is_told_by_the_rows_it_keeps.
    """
    n_sessions, end = len(rows.sizes), 0
    part = np.full(n_sessions, -1, dtype=np.int8)
    starts, lengths = np.zeros(n_sessions, dtype=np.int64), np.zeros(n_sessions, dtype=np.int64)
    for session in range(n_sessions):
        start, end = end, end + rows.sizes[session]
        for row in range(start, end):
            if rows.levels[row] != law.kept:
                continue
            if part[session] < 0:
                part[session] = rows.times[row] >= law.cut
                starts[session] = rows.times[row]
            if part[session] == 1 and support[rows.items[row]] == 0:
                rows.levels[row] = law.unknown
            else:
                lengths[session] += 1
    return part, starts, lengths


@kernel
def last_rules(rows: Rows, by_item: NDArray[np.int8]) -> NDArray[np.int8]:
    """The highest level among the rows of each session, -1 without any, and in ``by_item`` of each item.

    Twin: `max`, tests/kernels/test_rules.py::test_the_last_rule_is_the_highest_level.
    """
    highest = np.full(len(rows.sizes), -1, dtype=np.int8)
    end = 0
    for session in range(len(rows.sizes)):
        start, end = end, end + rows.sizes[session]
        for row in range(start, end):
            level = rows.levels[row]
            highest[session] = max(highest[session], level)
            by_item[rows.items[row]] = max(by_item[rows.items[row]], level)
    return highest


@kernel
def drop_small(
    alive: Masks, groups: Items, sizes: Items, others: Items, other_sizes: Items, bound: int
) -> int:
    """Drop the rows whose group has fewer than ``bound``; keeps both counts true and gives how many went.

    Twin: np.bincount, tests/kernels/test_rules.py::test_small_groups_are_dropped_and_both_counts_stay_true.
    """
    gone = 0
    for row in range(len(alive)):
        if alive[row] and sizes[groups[row]] < bound:
            alive[row] = False
            other_sizes[others[row]] -= 1
            gone += 1
    for group in range(len(sizes)):
        if sizes[group] < bound:
            sizes[group] = 0
    return gone
