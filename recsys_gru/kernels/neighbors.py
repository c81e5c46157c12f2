"""The search behind all session nearest-neighbour models: index, similarity, neighbours, item scores.

One scheme, of which each model is a setting (Plan). For a prefix of n clicks, d = clicks from an item's
latest click to the end of the prefix (0 for the last item):

    candidates    the ``sample_size`` most recent training sessions that hold an item of the prefix
    similarity(s) = sum of decay(d) over the distinct items of the prefix that s holds,
                    / sqrt(length(s) * length(prefix)) if ``cosine``, * exp(-age(s) / recency)
    neighbours    the ``neighbors`` most similar candidates, the more recent first where equal
    score(i)      = sum over neighbours s that hold i of
                    similarity(s) * match(d of the latest shared item) * nearness(steps in s from it to i) *
                    gain(i)

Posting lists run from new to old and are cut at ``sample_size``: no older entry can be a candidate, so that
the cut changes nothing (the index of VMIS-kNN, Kersbergen et al. 2022).
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import kernel

Number = TypeVar("Number", np.int32, np.float32)

DECAYS = ("same", "linear", "tenths", "reciprocal", "quadratic", "exponential")
"""How weight falls with the distance d from the end of a prefix of n clicks; a kernel knows them by place."""

DIGIT = 10
"""Bits of an item's number that touched items are put in order by at a time."""
DIGITS = 1 << DIGIT


class Index(NamedTuple):
    """Training sessions in the order of their last event, by session and by item.

    ``offsets`` (S + 1,) int64, ``items`` (P,) int32 distinct in each session and ``places`` (P,) int32 of
    their latest click; ``posting_offsets`` (N + 1,) int64 and ``postings`` int32: sessions that hold an
    item, the newest first; ``newness`` (S,) and ``gain`` (N,) float64: factors of similarities and scores.
    """

    offsets: Items
    items: NDArray[np.int32]
    places: NDArray[np.int32]
    posting_offsets: Items
    postings: NDArray[np.int32]
    newness: NDArray[np.float64]
    gain: NDArray[np.float64]


class Rule(NamedTuple):
    """What the kernels know of a model; ``decay`` and ``match`` are places in DECAYS, nearness 0 is none."""

    sample_size: int
    neighbors: int
    decay: int
    decay_scale: float
    match: int
    match_scale: float
    cosine: bool
    nearness: float


class Work(NamedTuple):
    """Scratch memory of one search: what may be found by a prefix, not what has been learned, tells its size.

    By place of a touched session (T,), as they come up: its number, similarity, latest shared item's distance
    and slot; ``slots`` (C,) hold these places, 1 more each, where a number's hash leads to. By item (N,):
    score, and the list of touched items, and room for them again. Slots and scores are zero between two
    prefixes.
    """

    sessions: NDArray[np.int32]
    similarity: NDArray[np.float64]
    latest: Items
    slot: Items
    slots: NDArray[np.int32]
    score: NDArray[np.float64]
    items: NDArray[np.int32]
    spare: NDArray[np.int32]


@kernel
def weight_at(kind: int, distance: int, length: int, scale: float) -> float:
    """Weight of an item that was clicked ``distance`` clicks before the end of a prefix of ``length``: one of
    DECAYS, by its place there; their formulas are in ``baselines.sknn.VSKNN``.

    Twin: the formulas, tests/baselines/test_neighbors.py::test_decays_are_those_of_the_docs.
    """
    if kind == 1:
        return 1.0 - distance / length
    if kind == 2:
        return max(0.0, 1.0 - 0.1 * (distance + 1))
    if kind == 3:
        return 1.0 / (distance + 1)
    if kind == 4:
        return 1.0 / (distance + 1) ** 2
    if kind == 5:
        return float(np.exp(-distance / scale))
    return 1.0


@kernel
def _slot_of(session: int, bits: int, work: Work) -> np.int64:
    """The slot that a session has, or may have, among 2 ** bits."""
    slot = ((np.int64(session) * 0x9E3779B1) & 0xFFFFFFFF) >> (32 - bits)  # Knuth's multiplicative hash
    while work.slots[slot] and work.sessions[work.slots[slot] - 1] != session:
        slot = (slot + 1) & ((1 << bits) - 1)
    return slot


@kernel
def _touched_at_most(index: Index, prefix: NDArray[np.int32]) -> int:
    """How many sessions a prefix may touch."""
    touched = np.int64(0)
    for item in np.unique(prefix):
        touched += index.posting_offsets[item + 1] - index.posting_offsets[item]
    return int(min(touched, index.newness.shape[0]))


@kernel
def _bits_for(touched: int) -> int:
    """Slots, as a power of two, of which at most half are taken."""
    bits = 1
    while 1 << bits < 2 * touched:
        bits += 1
    return bits


@kernel
def _touch_sessions(index: Index, rule: Rule, prefix: NDArray[np.int32], bits: int, work: Work) -> int:
    """Sum the decays over shared items, from the last click back; returns the number of sessions touched."""
    touched = 0
    length = prefix.shape[0]
    for distance in range(length):
        item = prefix[length - 1 - distance]
        if work.score[item] != 0.0:  # a later click on the item counts already
            continue
        work.score[item] = 1.0
        weight = weight_at(rule.decay, distance, length, rule.decay_scale)
        if weight <= 0.0:
            continue
        for at in range(index.posting_offsets[item], index.posting_offsets[item + 1]):
            session = index.postings[at]
            slot = _slot_of(session, bits, work)
            if work.slots[slot] == 0:
                work.sessions[touched] = session
                work.similarity[touched] = 0.0
                work.latest[touched] = distance
                work.slot[touched] = slot
                touched += 1
                work.slots[slot] = touched
            work.similarity[work.slots[slot] - 1] += weight
    for distance in range(length):
        work.score[prefix[distance]] = 0.0
    return touched


@kernel
def _finish_similarities(index: Index, rule: Rule, length: int, touched: int, work: Work) -> None:
    """Turn the sums of touched sessions into similarities to the prefix of ``length`` clicks."""
    for place in range(touched):
        session = work.sessions[place]
        work.similarity[place] *= index.newness[session]
        if rule.cosine:
            work.similarity[place] /= np.sqrt(length * (index.offsets[session + 1] - index.offsets[session]))


@kernel
def _nearest_sessions(rule: Rule, touched: int, work: Work) -> Items:
    """Keys of the neighbours: the bits of the float32 similarity, then the session's number."""
    oldest = np.int32(0)
    if touched > rule.sample_size:
        oldest = np.partition(work.sessions[:touched], touched - rule.sample_size)[touched - rule.sample_size]
    similarities = work.similarity[:touched].astype(np.float32).view(np.int32).astype(np.int64)
    keys, found = np.empty(min(touched, rule.sample_size), np.int64), 0
    for place in range(touched):
        if work.sessions[place] >= oldest:
            keys[found] = (similarities[place] << 32) | np.int64(work.sessions[place])
            found += 1
    if found > rule.neighbors:
        keys = np.partition(keys, found - rule.neighbors)[found - rule.neighbors :]
    return keys


@kernel
def _add_neighbours(
    index: Index, rule: Rule, prefix: NDArray[np.int32], bits: int, keys: Items, work: Work
) -> int:
    """Add the items of the neighbours to the scores; returns the number of items touched.

    No call within the loop is given arrays but the look-up: numba counts references to each of them, which
    takes longer than to add a session.
    """
    length, found = prefix.shape[0], 0
    for key in keys:
        session = key & 0x7FFFFFFF
        place = work.slots[_slot_of(session, bits, work)] - 1
        distance = work.latest[place]
        weight = work.similarity[place] * weight_at(rule.match, distance, length, rule.match_scale)
        first, last = index.offsets[session], index.offsets[session + 1]
        shared, origin = prefix[length - 1 - distance], 0
        for at in range(first, last if rule.nearness > 0.0 else first):
            if index.items[at] == shared:
                origin = index.places[at]
        for at in range(first, last):
            item = index.items[at]
            value = weight * index.gain[item]
            if rule.nearness > 0.0:
                value *= np.exp(-abs(index.places[at] - origin) / rule.nearness)
            if value != 0.0:
                if work.score[item] == 0.0:
                    work.items[found] = item
                    found += 1
                work.score[item] += value
    return found


@kernel
def _score_prefix(index: Index, rule: Rule, prefix: NDArray[np.int32], work: Work) -> int:
    """Scores of one prefix into ``work``; returns the number of items touched."""
    length, bits = prefix.shape[0], _bits_for(_touched_at_most(index, prefix))
    touched = _touch_sessions(index, rule, prefix, bits, work)
    _finish_similarities(index, rule, length, touched, work)
    keys = _nearest_sessions(rule, touched, work)
    found = _add_neighbours(index, rule, prefix, bits, keys, work)
    for place in range(touched):
        work.slots[work.slot[place]] = 0
    return found


@kernel
def _ascending(items: NDArray[np.int32], spare: NDArray[np.int32], n_items: int) -> NDArray[np.int32]:
    """Items below ``n_items`` in order, in one of the two arrays, the other of which is room: by their lowest
    digits first, which takes a fifth of the time of comparisons."""
    begins = np.empty(DIGITS + 1, dtype=np.int64)
    shift = 0
    while (n_items - 1) >> shift > 0:
        begins[:] = 0
        for item in items:
            begins[((item >> shift) & (DIGITS - 1)) + 1] += 1
        for digit in range(DIGITS):
            begins[digit + 1] += begins[digit]
        for item in items:
            digit = (item >> shift) & (DIGITS - 1)
            spare[begins[digit]] = item
            begins[digit] += 1
        items, spare = spare, items
        shift += DIGIT
    return items


@kernel
def _larger(values: NDArray[Number], size: int) -> NDArray[Number]:
    """A copy with room for ``size`` values and as many again."""
    grown = np.empty(2 * size, dtype=values.dtype)
    grown[: values.shape[0]] = values
    return grown


@kernel
def score_prefixes(
    index: Index, rule: Rule, items: NDArray[np.int32], firsts: Items, lasts: Items
) -> tuple[Items, NDArray[np.int32], Floats]:
    """Scores of the prefixes ``items[firsts[q]:lasts[q] + 1]`` by the scheme at the top of this file: offsets
    (Q + 1,), items and values.

    Twin: lists and dictionaries, tests/baselines/test_neighbors.py::test_scores_are_those_of_the_formulas.
    """
    n_items, most = index.gain.shape[0], 0
    for q in range(lasts.shape[0]):
        most = max(most, _touched_at_most(index, items[firsts[q] : lasts[q] + 1]))
    work = Work(
        np.empty(most, dtype=np.int32),
        np.empty(most),
        np.empty(most, dtype=np.int64),
        np.empty(most, dtype=np.int64),
        np.zeros(1 << _bits_for(most), dtype=np.int32),
        np.zeros(n_items),
        np.empty(n_items, dtype=np.int32),
        np.empty(n_items, dtype=np.int32),
    )
    offsets = np.zeros(lasts.shape[0] + 1, dtype=np.int64)
    row_items, row_values = np.empty(1024, dtype=np.int32), np.empty(1024, dtype=np.float32)
    for q in range(lasts.shape[0]):
        found = _score_prefix(index, rule, items[firsts[q] : lasts[q] + 1], work)
        start = offsets[q]
        if start + found > row_items.shape[0]:
            row_items, row_values = _larger(row_items, start + found), _larger(row_values, start + found)
        scored = _ascending(work.items[:found], work.spare[:found], n_items)
        for place in range(found):
            row_items[start + place] = scored[place]
            row_values[start + place] = work.score[scored[place]]
            work.score[scored[place]] = 0.0
        offsets[q + 1] = start + found
    return offsets, row_items[: offsets[-1]], row_values[: offsets[-1]]
