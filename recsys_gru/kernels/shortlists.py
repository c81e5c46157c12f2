"""Who may be among the best k of several hidden states, from one reading of the item table's coarse copy.

The hidden states are rounded to whole steps as the rows of the copy are, so that all products are of bytes.
How far a score may be off is known, and those few that may be among the best are scored exactly afterwards.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.bars import Bars, may_be_given
from recsys_gru.kernels.coarse import OFFSET, STEPS, Coarse, rounding
from recsys_gru.kernels.finding import Factors, found_alone, found_beside
from recsys_gru.kernels.machine.bytes import FOUR, LANES
from recsys_gru.kernels.machine.jit import kernel
from recsys_gru.kernels.tiles import Heaps, floor_of, replace_worst

ALONE = 2
"""States up to which each is multiplied by itself; more are sixteen at a time, as long as these take."""
FEWEST, MOST = 32, 256
"""Items that all states are multiplied with before what was found is listed, so that their rows stay in the
cache: at first few, as all of them are found while nothing better is known, then twice as many each time."""


class ByteStates(NamedTuple):
    """Hidden states (Q, H) in whole steps.

    Attributes:
        columns: (G, D, LANES, 4) uint8, LANES of them a group; the steps and OFFSET.
        flat: (Q, W) uint8, the same, of a row's width.
        steps: (G * LANES,) the size of a step of each.
        errors: (Q,) no coarse score of a state is further than this from the exact one.
    """

    columns: NDArray[np.uint8]
    flat: NDArray[np.uint8]
    steps: Floats
    errors: NDArray[np.float64]


class ShortLists(NamedTuple):
    """Of Q states: items (Q, L) and their coarse scores (Q, L), how many there are (Q,), and whether there
    was no room for one (Q,)."""

    items: NDArray[np.int32]
    scores: Floats
    counts: Items
    full: Masks


@kernel
def byte_states(coarse: Coarse, hidden: Floats) -> ByteStates:
    """Round hidden states (Q, H) to whole steps, STEPS of which make a state's largest number, and tell how
    far off the scores may be.

    A score is off by what the copy leaves out of a row times the state, and by the copy's row times what is
    left out of the state: by no more than the norms of these, multiplied. To that comes the rounding.

    Twin: NumPy in double, tests/kernels/test_shortlists.py::test_coarse_scores_are_within_their_errors.
    """
    count, width = len(hidden), coarse.rows.shape[1]
    groups, fours = -(-count // LANES), -(-hidden.shape[1] // FOUR)
    columns, flat = np.zeros((groups, fours, LANES, FOUR), np.uint8), np.zeros((count, width), np.uint8)
    steps, errors = np.ones(groups * LANES, np.float32), np.empty(count)
    for row in range(count):
        top, norm, left = np.float32(0), np.float64(0), np.float64(0)
        for number in hidden[row]:
            top = max(top, abs(number))
        step = max(top / np.float32(STEPS), np.float32(np.finfo(np.float32).tiny))
        steps[row] = step
        for j in range(hidden.shape[1]):
            number = hidden[row, j]
            whole = np.rint(number / step) if number == number else np.float32(0)
            whole = min(max(whole, np.float32(-STEPS)), np.float32(STEPS))
            flat[row, j] = np.uint8(whole + np.float32(OFFSET))
            columns[row // LANES, j // FOUR, row % LANES, j % FOUR] = flat[row, j]
            distance = np.float64(number) - np.float64(step) * np.float64(whole)
            norm += np.float64(number) * np.float64(number)
            left += distance * distance
        norm, left = np.sqrt(norm), np.sqrt(left)
        reach = coarse.longest + coarse.residual
        rounded = rounding(width + 2, reach * (norm + left) + coarse.heaviest, norm)
        errors[row] = 1.001 * (coarse.residual * norm + reach * left) + rounded
    return ByteStates(columns, flat, steps, errors)


def empty_lists(rows: int, length: int) -> ShortLists:
    """Lists without an item."""
    shape = (rows, length)
    none = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    return ShortLists(np.empty(shape, np.int32), np.empty(shape, np.float32), *none)


def short_lists(
    coarse: Coarse, bias: Floats, hidden: Floats, k: int, bars: Bars, length: int
) -> tuple[NDArray[np.int32], Items] | None:
    """Items (P,) that may be among the best k of hidden states (Q, H), and whose they are (P,), ascending;
    None where the coarse scores do not tell the best from the rest.

    Args:
        length: items that may be listed for a state.
    """
    states, count = byte_states(coarse, hidden), len(hidden)
    if not np.isfinite(states.errors).all():
        return None
    best, items = np.full((count, k), -np.inf, np.float32), np.full((count, k), -1, np.int32)
    heaps, lists = (best, items, np.zeros(count, np.bool_)), empty_lists(count, length)
    list_items(coarse.rows, (coarse.offsets, coarse.scales, bias), states, bars, heaps, lists)
    if lists.full.any():
        return None
    return last_listed(best[:, 0].copy(), states.errors, lists)


@kernel
def last_listed(
    worst: Floats, errors: NDArray[np.float64], lists: ShortLists
) -> tuple[NDArray[np.int32], Items]:
    """Return what is left of the lists when all items have been seen, state after state.

    Twin: a full sort, tests/kernels/test_shortlists.py::test_the_lists_hold_the_best_of_the_exact_scores.
    """
    for row in range(len(worst)):
        limit = floor_of(worst[row], errors[row])
        lists.counts[row] = _tidy(lists.items[row], lists.scores[row], lists.counts[row], limit)
    total = lists.counts.sum()
    items, rows, place = np.empty(total, np.int32), np.empty(total, np.int64), 0
    for row in range(len(worst)):
        for one in range(lists.counts[row]):
            items[place], rows[place] = lists.items[row, one], row
            place += 1
    return items, rows


@kernel
def list_items(
    rows: NDArray[np.int8],
    factors: Factors,
    states: ByteStates,
    bars: Bars,
    heaps: Heaps,
    lists: ShortLists,
) -> None:
    """Write down which items may be among the best k of each state, as far as can be told by then; the heaps
    (Q, k) are those of `push_tile`.

    Twin: a full sort, tests/kernels/test_shortlists.py::test_the_lists_hold_the_best_of_the_exact_scores.
    """
    columns, flat, steps, errors = states
    alone = len(errors) <= ALONE
    pairs, scores = np.empty((MOST * LANES, 2), np.int64), np.empty(MOST * LANES, np.float32)
    limits = np.full(len(steps), np.float32(np.inf), np.float32)
    for row in range(len(errors)):
        limits[row] = floor_of(heaps[0][row, 0], errors[row])
    first, size = 0, FEWEST
    while first < len(rows) and not lists.full.any():
        last = min(first + size, len(rows))
        for group in range(len(errors) if alone else len(columns)):
            if alone:
                one = flat[group], steps[group], limits[group]
                count = found_alone(rows, factors, (first, last, group), one, (pairs, scores))
            else:
                part = slice(group * LANES, group * LANES + LANES)
                lanes = columns[group], steps[part], limits[part]
                count = found_beside(rows, factors, (first, last, group * LANES), lanes, (pairs, scores))
            if count:
                _list_found(pairs[:count], scores, bars, (limits, errors), heaps, lists)
        first, size = last, min(2 * size, MOST)


@kernel
def _list_found(
    found: Items,
    scores: Floats,
    bars: Bars,
    bounds: tuple[Floats, NDArray[np.float64]],
    heaps: Heaps,
    lists: ShortLists,
) -> None:
    """List pairs of item and state (F, 2) whose scores (F,) were above the limits (Q,) of states with errors
    (Q,)."""
    limits, errors = bounds
    best, items, _ = heaps
    listed, their_scores, counts, full = lists
    room = listed.shape[1]
    for place in range(len(found)):
        item, row, score = int(found[place, 0]), int(found[place, 1]), scores[place]
        if score <= limits[row] or full[row] or not may_be_given(bars, item, row):
            continue
        if counts[row] == room:
            counts[row] = _tidy(listed[row], their_scores[row], room, limits[row])
            full[row] = counts[row] == room
        if not full[row]:
            listed[row, counts[row]], their_scores[row, counts[row]] = item, score
            counts[row] += 1
        if score > best[row, 0]:
            replace_worst(best[row], items[row], score, np.int32(item))
            limits[row] = floor_of(best[row, 0], errors[row])


@kernel
def _tidy(listed: NDArray[np.int32], scores: Floats, count: int, limit: np.float32) -> int:
    """Take those of the first `count` items out that are not among the best after all; return how many
    stay."""
    kept = 0
    for place in range(count):
        if scores[place] > limit:
            listed[kept], scores[kept] = listed[place], scores[place]
            kept += 1
    return kept
