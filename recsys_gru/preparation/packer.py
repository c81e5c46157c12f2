"""Packed sessions on disk: written piece by piece, read back as memory-mapped arrays without a copy."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import SESSION, TIME, USER, UTC_TIME
from recsys_gru.kernels.packing import spread
from recsys_gru.preparation.buckets import Bucket
from recsys_gru.sessions.files import write_tables
from recsys_gru.sessions.packed import POSITION
from recsys_gru.sessions.vocabulary import Vocabulary


class Packer:
    """Writes the sessions of one part, oldest first, straight to their place in mapped arrays.

    ``sessions`` has a row per session: its bucket and place there, start, length, session_id, and in logs of
    users user_id.
    """

    def __init__(self, folder: Path, sessions: pl.DataFrame, kept: int) -> None:
        owner = USER if USER in sessions.columns else SESSION
        folder.mkdir(parents=True)
        self._folder, self._kept = folder, kept
        self.sessions = sessions[oldest_first(sessions["start"], sessions[owner])]
        self._offsets = np.append(0, self.sessions["length"].cum_sum().to_numpy()).astype(np.int64)
        self.items = _array(folder / "items.npy", int(self._offsets[-1]), np.int32)
        self._times = _array(folder / "times.npy", int(self._offsets[-1]), np.int64)

    def add(self, bucket: Bucket) -> None:
        """Put the sessions of one bucket into their place, its items by their numbers in the whole log."""
        rows = bucket.finished()
        rows = rows._replace(items=bucket.numbers()[rows.items])
        ranks = self._ranks(bucket.number, len(rows.sizes))
        places = np.where(ranks >= 0, self._offsets[ranks], -1)
        spread(rows, self._kept, places, self.items, self._times)

    def unknown(self, bucket: Bucket, level: int) -> pl.DataFrame:
        """The rows of a bucket taken at a level: rank of their session, position in it, item, time."""
        rows = bucket.finished()
        stays = rows.levels >= level  # the last rule's level, and that of kept rows
        before = np.append(0, np.cumsum(stays))
        ends = np.cumsum(rows.sizes)
        place = np.flatnonzero(rows.levels == level)
        session = np.searchsorted(ends, place, side="right")
        return pl.DataFrame(
            {
                "rank": self._ranks(bucket.number, len(rows.sizes))[session],
                POSITION: before[place] - before[(ends - rows.sizes)[session]],
                "item": bucket.numbers()[rows.items[place]],
                TIME: pl.Series(rows.times[place]).cast(UTC_TIME),
            }
        )

    def _ranks(self, number: int, n_sessions: int) -> NDArray[np.int64]:
        """The place of each session of a bucket in this part, -1 where it is not in it."""
        mine = np.flatnonzero((self.sessions["bucket"] == number).to_numpy())
        ranks = np.full(n_sessions, -1, dtype=np.int64)
        ranks[self.sessions["session"].to_numpy()[mine]] = mine
        return ranks

    def close(self, ids: pl.Series, unknown: pl.DataFrame, vocabulary: Vocabulary) -> int:
        """Write what is left; gives the number of events."""
        np.save(self._folder / "offsets.npy", self._offsets)
        write_tables(self._folder, ids, unknown, vocabulary)
        for array in (self.items, self._times):
            if isinstance(array, np.memmap):
                array.flush()
        return len(self.items)


def oldest_first(starts: pl.Series, owners: pl.Series) -> NDArray[np.int64]:
    """The order by start, then by owner; text is compared only where starts are equal."""
    times = starts.to_numpy()
    order = np.argsort(times, kind="stable")
    equal = np.diff(times[order]) == 0
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    if len(tied):
        some = order[tied]
        pairs = pl.DataFrame({"start": times[some], "owner": owners[some]})
        order[tied] = some[pairs.select(pl.arg_sort_by("start", "owner")).to_series().to_numpy()]
    return order


def _array(path: Path, size: int, kind: type[np.generic]) -> NDArray[Any]:
    if size == 0:  # an empty file cannot be mapped
        np.save(path, np.empty(0, dtype=kind))
        return np.empty(0, dtype=kind)
    return np.lib.format.open_memmap(path, "w+", dtype=kind, shape=(size,))
