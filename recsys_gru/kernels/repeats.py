"""What comes again in a session, and what is added to the scores of items that it has just clicked: r_d where
it was d clicks before."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items, Masks
from recsys_gru.kernels.machine.jit import in_order, kernel


@in_order
def add_repeats(scores: Floats, at: Items, numbers: Floats) -> None:
    """Add numbers (R,) to the scores (U, P) of the columns of each row's last clicks (P, R), -1 for none.

    Twin: torch, tests/kernels/test_repeats.py::test_last_clicks_are_raised_and_learned_from.
    """
    for i in range(len(at)):
        for d in range(len(numbers)):
            if at[i, d] >= 0:
                scores[at[i, d], i] += numbers[d]


@in_order
def of_repeats(gradient: Floats, at: Items, targets: Items, pushes: bool, out: Floats) -> None:
    """Fill the gradient of what `add_repeats` adds (R,), given that of the scores (U, P), and unless it
    `pushes` take that of last clicks that are not their row's target (P,) out of it.

    Twin: torch, tests/kernels/test_repeats.py::test_last_clicks_are_raised_and_learned_from.
    """
    out[:] = 0
    for i in range(len(at)):
        for d in range(len(out)):
            if at[i, d] >= 0:
                out[d] += gradient[at[i, d], i]
                if not pushes and at[i, d] != targets[i]:
                    gradient[at[i, d], i] = 0


@kernel
def add_to_pairs(
    scores: Floats,
    asked: tuple[Items, NDArray[np.int32]],
    raised: tuple[Items, NDArray[np.int32], Floats],
) -> None:
    """Add to the scores (P,) of rows and items what is added to such pairs: rows (R,), ascending, items (R,),
    each pair once, and numbers (R,).

    Twin: a dictionary, tests/kernels/test_repeats.py::test_pairs_are_found_in_any_order.
    """
    rows, items, numbers = raised
    for place in range(len(scores)):
        at = np.searchsorted(rows, asked[0][place])
        while at < len(rows) and rows[at] == asked[0][place]:
            if items[at] == asked[1][place]:
                scores[place] += numbers[at]
            at += 1


@in_order
def raise_nearly(
    scores: Floats, errors: NDArray[np.float64], raised: tuple[Items, NDArray[np.int32], Floats]
) -> None:
    """Add to scores (Q, N) that are off by no more than some errors (Q,) what is added to pairs of rows (R,)
    and items (R,), each pair once; and to the errors how far rounding takes the sums of the true scores and
    of these apart.

    Twin: NumPy, tests/kernels/test_repeats.py::test_raised_scores_are_as_near_as_is_told.
    """
    rows, items, numbers = raised
    known, unit = errors.copy(), 2 * float(np.finfo(np.float32).eps)
    for place in range(len(rows)):
        row = rows[place]
        scores[row, items[place]] += numbers[place]
        size = abs(np.float64(scores[row, items[place]])) + known[row]
        errors[row] = max(errors[row], known[row] + unit * size)


@kernel
def clicked_before(items: NDArray[np.int32], offsets: Items) -> Masks:
    """Return whether each event's item (E,) came earlier in its session; sessions lie between the offsets.

    Twin: a set, tests/kernels/test_repeats.py::test_what_comes_again_is_what_a_set_holds.
    """
    again = np.zeros(len(items), np.bool_)
    for session in range(len(offsets) - 1):
        own = items[offsets[session] : offsets[session + 1]]
        order = np.argsort(own, kind="mergesort")  # equal ones stay in their order
        for place in range(1, len(own)):
            if own[order[place]] == own[order[place - 1]]:
                again[offsets[session] + order[place]] = True
    return again


@kernel
def last_items(
    items: NDArray[np.int32], firsts: Items, ends: Items, most: int
) -> tuple[Items, NDArray[np.int32], Items, Items]:
    """Return the distinct items of the last clicks, at most so many, of the prefixes from the events `firsts`
    to `ends` (Q,): offsets (Q + 1,), items, ascending in each, how many clicks before the last one each came
    last, and of which prefix it is.

    Twin: a dictionary, tests/kernels/test_repeats.py::test_last_items_are_those_of_a_dictionary.
    """
    offsets = np.zeros(len(ends) + 1, np.int64)
    found, back = np.empty(len(ends) * most, np.int32), np.empty(len(ends) * most, np.int64)
    rows = np.empty(len(ends) * most, np.int64)
    for q in range(len(ends)):
        begin = end = offsets[q]
        for d in range(min(most, ends[q] - firsts[q] + 1)):
            item, place = items[ends[q] - d], end
            while place > begin and found[place - 1] > item:
                place -= 1
            if place > begin and found[place - 1] == item:
                continue
            for one in range(end, place, -1):
                found[one], back[one] = found[one - 1], back[one - 1]
            found[place], back[place] = item, d
            end += 1
        offsets[q + 1], rows[offsets[q] : end] = end, q
    return offsets, found[: offsets[-1]], back[: offsets[-1]], rows[: offsets[-1]]
