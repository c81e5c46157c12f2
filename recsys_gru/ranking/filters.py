"""Which items may be shown: allow and deny lists, items live at a moment, items new to the session."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import flag, shown
from recsys_gru.errors import InputError, ParameterError, SchemaError
from recsys_gru.forked import need_threads
from recsys_gru.kernels.bars import NO_BARS, Bars
from recsys_gru.sessions import Sessions, Vocabulary, asked_numbers

FOREVER = np.iinfo(np.int64).max


@final
@dataclass(frozen=True, eq=False)
class Candidates:
    """The items that Q prefixes may be given, as masks made tile by tile.

    Attributes:
        keep: (N,) the items that pass the lists.
        live: (2, N) microseconds since the epoch: first moment on, first moment off; None: always live.
        moments: (Q,) microseconds since the epoch at which each prefix asks.
        seen_items: (P,) item numbers in ascending order that are barred for one row each, ``seen_rows`` (P,).
    """

    keep: NDArray[np.bool_]
    live: NDArray[np.int64] | None
    moments: NDArray[np.int64]
    seen_items: NDArray[np.int32]
    seen_rows: NDArray[np.int64]

    def tile(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Mask (Q, stop - start) of the items start..stop-1."""
        mask = np.empty((len(self.moments), min(stop, len(self.keep)) - start), dtype=np.bool_)  # (Q, T)
        mask[:] = self.keep[start:stop]
        if self.live is not None:
            since, until = self.live[:, start:stop]
            mask &= (since <= self.moments[:, None]) & (self.moments[:, None] < until)
        first, last = np.searchsorted(self.seen_items, (start, stop))
        mask[self.seen_rows[first:last], self.seen_items[first:last] - start] = False
        return mask

    def bars(self) -> Bars:
        """The same, to be asked about one item and row at a time."""
        live = NO_BARS.live if self.live is None else self.live
        return Bars(self.keep, live, self.moments, self.seen_items, self.seen_rows)

    def has(self, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each row (Q,) may be given its own one of ``items`` (Q,)."""
        allowed: NDArray[np.bool_] = self.keep[items]
        if self.live is not None:
            allowed = allowed & (self.live[0, items] <= self.moments) & (self.moments < self.live[1, items])
        seen = self.seen_items == items[self.seen_rows]
        allowed[self.seen_rows[seen]] = False
        return allowed


@final
@dataclass(frozen=True, eq=False)
class BoundFilter:
    """An ItemFilter in the item numbers of some sessions; ``ignored`` counts listed ids that are unknown."""

    sessions: Sessions
    keep: NDArray[np.bool_]
    live: NDArray[np.int64] | None
    at: int | None
    exclude_seen: bool
    ignored: int

    def candidates(self, rows: NDArray[np.int64]) -> Candidates | None:
        """The candidates of prefixes that end at the events ``rows`` (Q,); None if nothing is barred."""
        if self.keep.all() and self.live is None and not self.exclude_seen:
            return None
        moments = self.sessions.times[rows] if self.at is None else np.full(len(rows), self.at)
        seen_items, seen_rows = seen_pairs(self.sessions, rows if self.exclude_seen else rows[:0])
        return Candidates(self.keep, self.live, moments, seen_items, seen_rows)


def seen_pairs(sessions: Sessions, rows: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Pairs of item and row, each once, ordered by item: what each prefix holds already."""
    starts = sessions.firsts(rows)
    lengths = rows - starts + 1
    owner = np.repeat(np.arange(len(rows)), lengths)  # (P,)
    events = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths)
    pairs = np.unique(sessions.items[events] * np.int64(max(len(rows), 1)) + owner)
    items, row = np.divmod(pairs, max(len(rows), 1))
    return items.astype(np.int32), row


@final
class ItemFilter:
    """Which items may be recommended and which compete in an evaluation; the same object serves both.

    Args:
        allow: only these item ids; ids outside the vocabulary are ignored and counted.
        deny: never these item ids; unknown ones are ignored and counted.
        availability: a frame of item_id, ``since`` and ``until`` (zoned Datetime, null = unbounded);
            an item is live from ``since`` on, before ``until``; without a row it is never live.
        at: the moment that counts; without it the time of each prefix's last event.
        exclude_seen: whether items of the session so far are barred.

    Raises:
        SchemaError: if ``availability`` lacks a column, repeats an item or has times without a time zone.

    >>> from recsys_gru.clicks import Vocabulary
    >>> vocabulary = Vocabulary(pl.Series("item_id", ["a", "b", "c"]), np.array([3, 2, 1]))
    >>> ItemFilter(deny=["b", "no longer sold"]).keep(vocabulary)
    array([ True, False,  True])
    """

    def __init__(
        self,
        allow: Iterable[int | str] | None = None,
        deny: Iterable[int | str] | None = None,
        availability: pl.DataFrame | None = None,
        at: datetime | None = None,
        exclude_seen: bool = False,
    ) -> None:
        self.allow = None if allow is None else _ids("allow", allow)
        self.deny = None if deny is None else _ids("deny", deny)
        self.availability = None if availability is None else _checked_availability(availability)
        self.at = None if at is None else _microseconds(at)
        self.exclude_seen = flag("exclude_seen", exclude_seen)

    def keep(self, vocabulary: Vocabulary) -> NDArray[np.bool_]:
        """Mask (N,) of the items that pass the allow and deny lists.

        Raises:
            InputError: if no item passes.
        """
        return self._mask(vocabulary, *self._numbers(vocabulary))

    def bind(self, sessions: Sessions) -> BoundFilter:
        """The filter in the item numbers of these sessions.

        Raises:
            InputError: if no known item is left.
        """
        vocabulary = sessions.vocabulary
        allow, deny = self._numbers(vocabulary)
        ignored = sum(int((numbers < 0).sum()) for numbers in (allow, deny) if numbers is not None)
        live = None if self.availability is None else _live(vocabulary, self.availability)
        keep = self._mask(vocabulary, allow, deny)
        return BoundFilter(sessions, keep, live, self.at, self.exclude_seen, ignored)

    def _numbers(self, vocabulary: Vocabulary) -> tuple[NDArray[np.int32] | None, NDArray[np.int32] | None]:
        """The item numbers of both lists, -1 where an id is unknown."""
        allow, deny = (
            None if ids is None else asked_numbers(vocabulary, ids, name)
            for name, ids in (("allow", self.allow), ("deny", self.deny))
        )
        return allow, deny

    def _mask(
        self, vocabulary: Vocabulary, allow: NDArray[np.int32] | None, deny: NDArray[np.int32] | None
    ) -> NDArray[np.bool_]:
        mask = np.full(len(vocabulary), allow is None)
        if allow is not None:
            mask[allow[allow >= 0]] = True
        if deny is not None:
            mask[deny[deny >= 0]] = False
        if not mask.any():
            raise InputError(
                f"expected the allow and deny lists to leave a known item, they leave none of {len(mask)} "
                f"(allow starts with {list((self.allow or ())[:5])}, "
                f"known ids start with {vocabulary.ids[:5].to_list()}): check the ids and their type"
            )
        return mask


def _ids(name: str, ids: Iterable[int | str]) -> tuple[int | str, ...]:
    """The listed ids, each once."""
    if isinstance(ids, str | bytes | dict) or not isinstance(ids, Iterable):
        raise ParameterError(f"expected {name} as a list of item ids, got {shown(ids)}: put it in a list")
    listed = ids.to_list() if isinstance(ids, pl.Series) else list(ids)
    try:
        return tuple(dict.fromkeys(listed))
    except TypeError as error:
        raise ParameterError(f"expected {name} as a list of item ids, got {shown(listed)}") from error


def _microseconds(moment: datetime) -> int:
    if not isinstance(moment, datetime):
        raise ParameterError(f"expected a moment as a datetime with a time zone, got {shown(moment)}")
    if moment.tzinfo is None:
        raise ParameterError(f"expected a moment with a time zone, got {moment}: add tzinfo=timezone.utc")
    return int(pl.Series([moment]).dt.epoch("us")[0])


def _checked_availability(frame: pl.DataFrame) -> pl.DataFrame:
    if not isinstance(frame, pl.DataFrame):
        raise SchemaError(f"expected availability as a Polars frame, got {shown(frame)}")
    missing = [name for name in ("item_id", "since", "until") if name not in frame.columns]
    if missing:
        raise SchemaError(
            f"expected item_id, since, until in availability, {missing} missing: got {frame.columns}"
        )
    for name in ("since", "until"):
        kind = frame.schema[name]
        if not (isinstance(kind, pl.Datetime) and kind.time_zone) and kind != pl.Null:
            raise SchemaError(f"expected {name} as Datetime with a time zone, got {kind}: convert it to UTC")
    repeated = frame["item_id"].filter(frame["item_id"].is_duplicated()).unique(maintain_order=True)
    if len(repeated):
        raise SchemaError(f"expected one row per item in availability, repeated: {repeated[:5].to_list()}")
    return frame.select("item_id", "since", "until")


def _live(vocabulary: Vocabulary, availability: pl.DataFrame) -> NDArray[np.int64]:
    need_threads("a filter with availability")
    numbers = vocabulary.numbers(availability["item_id"])
    micro = availability.select(pl.col("since", "until").cast(pl.Datetime("us", "UTC")).cast(pl.Int64))
    live = np.repeat([[FOREVER], [-FOREVER]], len(vocabulary), axis=1)  # (2, N) never live
    known = numbers >= 0
    live[0, numbers[known]] = micro["since"].fill_null(-FOREVER).to_numpy()[known]
    live[1, numbers[known]] = micro["until"].fill_null(FOREVER).to_numpy()[known]
    return live
