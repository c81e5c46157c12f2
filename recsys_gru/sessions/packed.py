"""Packed sessions: item numbers session after session; here Polars ends and NumPy begins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import shown
from recsys_gru.clicks.frames import EVENT, ITEM, SESSION, TIME, UTC_TIME, Frame
from recsys_gru.clicks.order import codes, run_starts
from recsys_gru.errors import ParameterError
from recsys_gru.kernels.arrays import spread
from recsys_gru.kernels.repeats import clicked_before
from recsys_gru.sessions.fingerprint import digest_of
from recsys_gru.sessions.ordered import oldest_first, ordered_events
from recsys_gru.sessions.vocabulary import Vocabulary

POSITION = "position"


@dataclass(frozen=True, eq=False)
class Sessions:
    """Sessions as arrays, oldest first; session s is ``items[offsets[s]:offsets[s + 1]]``.

    Attributes:
        items: item numbers, (E,) int32.
        offsets: where each session begins, and the end, (n + 1,) int64.
        times: microseconds since 1970 UTC, (E,) int64.
        ids: session ids, (n,).
        vocabulary: what the item numbers stand for.
        unknown: clicks on items that the vocabulary lacks, with session_id, position (place in the raw
            session, from 0), item_id and time; they are in none of the arrays.
        since: microseconds since 1970 UTC; earlier clicks are the context of later ones, and are neither
            foretold nor learned themselves. None: all count.
        moment: what is known about the moment of each event, a column of labels (E,) each: text, or the whole
            numbers of `gap` and `hour`; `unknown` has these columns too. None: nothing.
    """

    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    ids: pl.Series
    vocabulary: Vocabulary
    unknown: pl.DataFrame
    since: int | None = None
    moment: pl.DataFrame | None = None

    @classmethod
    def from_events(
        cls, events: Frame, vocabulary: Vocabulary | None = None, context: Sequence[str] = ()
    ) -> "Sessions":
        """Pack events, ordered by (first time of the session, session id), then by time; equal times as they
        come, or by ``click_order`` where there is one.

        Without a vocabulary the items are numbered by first appearance in that order. With one, clicks on
        other items go to ``unknown``; a session of unknown items only stays, with length 0. ``context`` names
        columns of what is known about the moments; "gap" and "hour" are made from the times where there are
        no such columns.

        Raises:
            SchemaError: a column is missing or of the wrong type.
            ClickLogError: a value is null.

        >>> log = pl.DataFrame({"session_id": [2, 1, 1], "item_id": ["b", "a", "b"], "time": [5, 1, 2]})
        >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
        >>> sessions = Sessions.from_events(log)
        >>> sessions.items, sessions.offsets, sessions.vocabulary.ids.to_list()
        (array([0, 1, 1], dtype=int32), array([0, 2, 3]), ['a', 'b'])
        """
        table = ordered_events(events, tuple(context))
        if vocabulary is not None:
            return cls.in_order(table, vocabulary)
        return cls._packed(table, *_numbered(table[ITEM]))

    @classmethod
    def in_order(cls, table: pl.DataFrame, vocabulary: Vocabulary) -> "Sessions":
        """Pack a table of session_id, item_id, time and labels whose rows are in their final order
        already."""
        return cls._packed(table, vocabulary, vocabulary.found(table[ITEM]))

    @classmethod
    def _packed(cls, table: pl.DataFrame, vocabulary: Vocabulary, numbers: NDArray[np.int32]) -> "Sessions":
        starts = run_starts(table[SESSION])
        sizes = np.diff(starts, append=table.height)
        known = numbers >= 0
        lengths = _known_lengths(sizes, known)
        lost = np.flatnonzero(~known)
        place = lost - np.repeat(starts, sizes)[lost]
        unknown = table[lost].with_columns(pl.Series(POSITION, place, dtype=pl.Int64))
        labels = [name for name in table.columns if name not in EVENT]
        return cls(
            items=numbers[known],
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            times=table[TIME].dt.epoch("us").to_numpy()[known],
            ids=table[SESSION][starts],
            vocabulary=vocabulary,
            unknown=unknown.select(SESSION, POSITION, ITEM, TIME, *labels),
            moment=table.select(labels).filter(pl.Series(known)) if labels else None,
        )

    @classmethod
    def packed(cls, events: pl.DataFrame, vocabulary: Vocabulary | None = None) -> "Sessions":
        """Pack what ``events`` gave, or a part of it, labels of moments as they are."""
        table = oldest_first(events, [name for name in events.columns if name not in EVENT])
        if vocabulary is not None:
            return cls.in_order(table, vocabulary)
        return cls._packed(table, *_numbered(table[ITEM]))

    def numbered_by(self, vocabulary: Vocabulary | None) -> "Sessions":
        """The same sessions by another vocabulary, or by all of their own items."""
        return replace(self.packed(self.events(), vocabulary), since=self.since)

    @property
    def n_sessions(self) -> int:
        """Sessions, those without a known item included."""
        return len(self.offsets) - 1

    @property
    def n_events(self) -> int:
        """Events on known items."""
        return len(self.items)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Events on known items of each session, (n,) int64."""
        return np.diff(self.offsets)

    def events(self) -> pl.DataFrame:
        """The frame that gives these sessions again, in order: session_id, item_id, time and what is known
        about the moments, unknown items included.
        """
        session = np.repeat(np.arange(self.n_sessions), self.lengths)
        known = pl.DataFrame(
            {
                SESSION: self.ids.gather(session),
                ITEM: self.vocabulary.take(self.items),
                TIME: pl.Series(self.times).cast(UTC_TIME),
            }
        )
        if self.moment is not None:
            known = known.hstack(self.moment)
        if self.unknown.is_empty():
            return known.sort(SESSION, maintain_order=True)
        table = pl.DataFrame({SESSION: self.ids, "number": np.arange(self.n_sessions)})
        owner = self.unknown.join(table, on=SESSION, how="left", maintain_order="left")["number"].to_numpy()
        rows = _places(session, owner, self.unknown[POSITION].to_numpy())
        lost = self.unknown.drop(POSITION)
        if lost.schema[ITEM] != known.schema[ITEM]:  # ids that the vocabulary's type cannot hold
            known, lost = (part.cast({ITEM: pl.String}) for part in (known, lost))
        return pl.concat([known, lost])[rows].sort(SESSION, maintain_order=True)

    def from_moment(self, since: datetime) -> "Sessions":
        """The same sessions, in which the clicks before a moment (UTC where it names no zone) are context.

        >>> log = pl.DataFrame({"session_id": [1, 1, 1], "item_id": ["a", "b", "c"], "time": [1, 2, 3]})
        >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
        >>> Sessions.from_events(log).from_moment(datetime(1970, 1, 1, 0, 0, 3)).counted.tolist()
        [False, False, True]
        """
        return replace(self, since=microseconds(since))

    def part(self, chosen: NDArray[np.int64], lengths: NDArray[np.int64] | None = None) -> "Sessions":
        """The sessions at some places, or so many first events of each, without the clicks on unknown items.

        >>> log = pl.DataFrame({"session_id": [1, 1, 2, 2], "item_id": list("abcd"), "time": [1, 2, 3, 4]})
        >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
        >>> sessions = Sessions.from_events(log)
        >>> sessions.part(np.array([1]), np.array([1])).events()["item_id"].to_list()
        ['c']
        """
        lengths = self.offsets[chosen + 1] - self.offsets[chosen] if lengths is None else lengths
        events = spread(self.offsets[chosen], lengths)
        return replace(
            self,
            items=self.items[events],
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            times=self.times[events],
            ids=self.ids.gather(chosen),
            unknown=self.unknown.clear(),
            moment=None if self.moment is None else self.moment[events],
        )

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which events (E,) are foretold or learned, as far as something goes before them."""
        if self.since is None:
            return np.ones(self.n_events, np.bool_)
        return self.times >= self.since

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """The last event of each session that has one."""
        return self.offsets[1:][self.lengths > 0] - 1

    def firsts(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first event of the session of each of some events (Q,)."""
        if self.n_sessions == 1:
            return np.zeros(len(events), np.int64)
        return self.offsets[np.searchsorted(self.offsets, events, side="right") - 1]

    @property
    def repeats(self) -> NDArray[np.bool_]:
        """Whether each event's item (E,) came earlier in its session."""
        return clicked_before(self.items, self.offsets)

    @property
    def tied_share(self) -> float:
        """The share of neighbouring clicks of a session that have the same time, so that their order is that
        of the rows or none at all.
        """
        inside = np.ones(max(0, self.n_events - 1), dtype=np.bool_)
        ends = self.offsets[1:-1]
        inside[ends[(ends > 0) & (ends < self.n_events)] - 1] = False
        same = (self.times[1:] == self.times[:-1]) & inside
        return float(same.sum() / inside.sum()) if inside.any() else 0.0

    def fingerprint(self) -> str:
        """A SHA-256 over everything: equal for equal sessions, on every machine."""
        unknown = (_filled(self.unknown[name]) for name in self.unknown.columns)
        since = () if self.since is None else (f"since {self.since}",)
        told = {} if self.moment is None else self.moment.to_dict()
        moment = (part for name, values in told.items() for part in (f"context {name}", _filled(values)))
        return digest_of(
            self.items, self.offsets, self.times, self.ids, self.vocabulary.ids, *unknown, *since, *moment
        )


SessionData: TypeAlias = "Sessions | Frame | str | Path"
"""Sessions, a frame of clicks, a path to some, or a folder that prepare or write_sessions wrote."""


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC of a moment; one that names no zone is UTC.

    Raises:
        ParameterError: if it is no moment.

    >>> microseconds(datetime(1970, 1, 1, 0, 1))
    60000000
    """
    if not isinstance(moment, datetime):
        raise ParameterError(f"expected a moment as datetime, got {shown(moment)}: datetime(2026, 11, 28, 3)")
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (zoned - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment_of(time: int) -> datetime:
    """The moment (UTC) of microseconds since 1970.

    >>> moment_of(60_000_000).isoformat()
    '1970-01-01T00:01:00+00:00'
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)


def _places(
    known: NDArray[np.int64], owners: NDArray[np.int64], positions: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The order in which known events (whose sessions ascend) and, behind them, unknown ones are the raw
    sessions: an unknown one has its position in its session, known ones fill what is left.
    """
    sizes = np.bincount(np.concatenate([known, owners]))
    starts = np.cumsum(sizes) - sizes
    order = np.full(len(known) + len(owners), -1, dtype=np.int64)
    order[starts[owners] + positions] = len(known) + np.arange(len(owners))
    order[order < 0] = np.arange(len(known))
    return order


def _numbered(items: pl.Series) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The items numbered by first appearance, and the number of each row."""
    coded, known = codes(items)
    first = np.full(len(known), len(items))
    first[coded[::-1]] = np.arange(len(items))[::-1]  # of several rows the last one written stays: the first
    present = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(items))]
    number = np.empty(len(known), dtype=np.int32)
    number[present] = np.arange(len(present), dtype=np.int32)
    support = np.bincount(coded, minlength=len(known))[present]
    return Vocabulary(known[present], support), number[coded]


def _filled(values: pl.Series) -> pl.Series:
    """Values in which a label that is missing has a sign of its own."""
    if not values.null_count():
        return values
    return values.fill_null("" if values.dtype == pl.String else -1)


def _known_lengths(sizes: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    before = np.concatenate([[0], np.cumsum(known)])
    ends = np.cumsum(sizes)
    lengths: NDArray[np.int64] = before[ends] - before[ends - sizes]
    return lengths
