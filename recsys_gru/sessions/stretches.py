"""A log as a stream: period after period, each with what went before in its sessions."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import ITEM, SESSION, TIME, UTC_TIME
from recsys_gru.kernels.arrays import spread
from recsys_gru.sessions.packed import Sessions, microseconds, moment_of


class Stretches:
    """The periods of a log that hold a click, from a moment on: when each begins, and its clicks together
    with the earlier ones of their sessions.

    Args:
        log: sessions without unknown clicks.
        begin: where the first period begins, microseconds since 1970 UTC.
        every: length of a period, microseconds.

    >>> clicks = pl.DataFrame({"session_id": [1, 1, 2], "item_id": ["a", "b", "c"], "time": [0, 7, 9]})
    >>> log = Sessions.from_events(clicks.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC"))))
    >>> stretches = Stretches(log, begin=5_000_000, every=3_000_000)
    >>> [(str(moment.time()), events["item_id"].to_list()) for moment, events in stretches]
    [('00:00:05', ['a', 'b']), ('00:00:08', ['c'])]
    """

    def __init__(self, log: Sessions, begin: int, every: int) -> None:
        self._log, self._begin, self._every = log, begin, every
        self._owner = np.repeat(np.arange(log.n_sessions), log.lengths)
        late = np.flatnonzero(log.times >= begin)
        self._events = late[np.argsort(log.times[late], kind="stable")]
        periods = (log.times[self._events] - begin) // every
        self._firsts = np.flatnonzero(np.diff(periods, prepend=-1))
        self._periods = periods[self._firsts]

    def __len__(self) -> int:
        return len(self._firsts)

    def __iter__(self) -> Iterator[tuple[datetime, pl.DataFrame]]:
        ends = [*self._firsts[1:].tolist(), len(self._events)]
        for period, first, end in zip(self._periods.tolist(), self._firsts.tolist(), ends, strict=True):
            yield moment_of(self._begin + period * self._every), self._with_context(self._events[first:end])

    def until(self, end: datetime) -> pl.DataFrame:
        """All clicks of the log before a moment."""
        return self._frame(np.flatnonzero(self._log.times < microseconds(end)))

    def _with_context(self, events: NDArray[np.int64]) -> pl.DataFrame:
        """Some events and all that go before them in their sessions, in which time only rises."""
        events = np.sort(events)
        owners, places = np.unique(self._owner[events[::-1]], return_index=True)
        begins = self._log.offsets[owners]
        lengths = events[::-1][places] + 1 - begins  # the last event of each
        return self._frame(spread(begins, lengths))

    def _frame(self, rows: NDArray[np.int64]) -> pl.DataFrame:
        log = self._log
        frame = pl.DataFrame(
            {
                SESSION: log.ids.gather(self._owner[rows]),
                ITEM: log.vocabulary.take(log.items[rows]),
                TIME: pl.Series(log.times[rows]).cast(UTC_TIME),
            }
        )
        return frame if log.moment is None else frame.hstack(log.moment[rows])
