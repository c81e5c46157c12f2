"""Ranks of clicks over the whole catalogue: by a model's scores, and by what answers where it knows none."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.ranking import (
    BoundFilter,
    Candidates,
    Scorer,
    counts_as_shown,
    counts_within,
    popularity_block,
    rank_counts,
    seen_pairs,
)
from recsys_gru.ranking.fallback import candidates_of_nothing, last_unknown
from recsys_gru.ranking.topk import FEW
from recsys_gru.sessions import Sessions

Ints = NDArray[np.int64]


class Ranked(NamedTuple):
    """Ranked clicks, R of them in any order.

    Attributes:
        events: where each target lies among the sessions' events, (R,).
        counts: items above the target and equal to it, among all; then the same among those that are not in
            the session yet, (4, R).
        excluded: whether the item filter bars the target, (R,).
    """

    events: Ints
    counts: Ints
    excluded: NDArray[np.bool_]

    @classmethod
    def of(cls, parts: list["Ranked"]) -> "Ranked":
        """All parts in the order of the events."""
        events = np.concatenate([np.empty(0, np.int64), *(part.events for part in parts)])
        counts = np.concatenate([np.empty((4, 0), np.int64), *(part.counts for part in parts)], axis=1)
        excluded = np.concatenate([np.empty(0, np.bool_), *(part.excluded for part in parts)])
        order = np.argsort(events)  # the order of blocks is the model's own affair
        return cls(events[order], counts[:, order], excluded[order])


def by_model(
    model: Scorer, sessions: Sessions, bound: BoundFilter, rows: int, up_to: int | None = None
) -> Iterator[Ranked]:
    """Every click that a known one goes before, ranked by the model's scores, a block at a time; with `up_to`
    so far that ranks up to it are told, of the shown items too, and deeper ones are deeper than that."""
    for block in model.blocks(sessions, every=True, rows=rows if up_to is None else min(rows, FEW)):
        targets = sessions.items[block.rows + 1]
        candidates = bound.candidates(block.rows)
        seen = _competing(seen_pairs(sessions, block.rows), candidates)
        if up_to is None:
            counts = rank_counts(block, targets, candidates)
        else:
            most = int(np.bincount(seen[1], minlength=1).max())
            counts = counts_within(block, targets, up_to + most, candidates)
        shown = counts if bound.exclude_seen else counts_as_shown(block, targets, counts, seen)
        barred = np.zeros(len(targets), np.bool_) if candidates is None else ~candidates.has(targets)
        yield Ranked(block.rows + 1, np.stack([*counts, *shown]), barred)


def by_popularity(sessions: Sessions, bound: BoundFilter, rows: int) -> Iterator[Ranked]:
    """The first known click of each session that begins with unknown ones, where popularity answers."""
    leading = sessions.unknown.filter(pl.col("position") == pl.int_range(pl.len()).over("session_id"))
    begun = sessions.ids.is_in(leading["session_id"].unique().implode()).to_numpy()
    owners = np.flatnonzero(begun & (sessions.lengths > 0))
    owners = owners[sessions.counted[sessions.offsets[owners]]]
    moments = last_unknown(sessions, leading)
    for first in range(0, len(owners), rows):
        owner = owners[first : first + rows]
        targets = sessions.items[sessions.offsets[owner]]
        candidates = candidates_of_nothing(bound, moments[owner])
        counts = rank_counts(popularity_block(sessions.vocabulary, owner), targets, candidates)
        yield Ranked(sessions.offsets[owner], np.stack([*counts, *counts]), ~candidates.has(targets))


def _competing(pairs: tuple[NDArray[np.int32], Ints], candidates: Candidates | None) -> tuple[
    NDArray[np.int32], Ints
]:  # fmt: skip
    """The pairs of item and row whose item competes for that row."""
    if candidates is None:
        return pairs
    items, rows = pairs
    few = Candidates(
        candidates.keep, candidates.live, candidates.moments[rows], candidates.seen_items[:0], rows[:0]
    )
    stays = few.has(items)
    return items[stays], rows[stays]
