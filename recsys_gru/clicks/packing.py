"""Packed sessions on disk: written piece by piece, read back as memory-mapped arrays without a copy."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import ITEM, SESSION, TIME, UTC_TIME
from recsys_gru.clicks.sessions import Sessions
from recsys_gru.clicks.vocabulary import Vocabulary
from recsys_gru.errors import ClickLogError

_ARRAYS = ("items", "offsets", "times")


def write_sessions(sessions: Sessions, folder: str | Path) -> None:
    """Write packed sessions to a folder: items, offsets and times as .npy, ids, vocabulary and unknown as
    Parquet.

    >>> import tempfile
    >>> log = pl.DataFrame({"session_id": [1], "item_id": [7], "time": [0]})
    >>> folder, sessions = tempfile.mkdtemp(), Sessions.from_events(log.cast({"time": UTC_TIME}))
    >>> write_sessions(sessions, folder)
    >>> read_sessions(folder).fingerprint() == sessions.fingerprint()
    True
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name in _ARRAYS:
        np.save(place / f"{name}.npy", getattr(sessions, name))
    _write_tables(place, sessions.ids, sessions.unknown, sessions.vocabulary)


def read_sessions(folder: str | Path) -> Sessions:
    """Map packed sessions into memory: nothing is read until it is used, and no write reaches the files.

    Raises:
        ClickLogError: a file is missing or damaged.
    """
    place = Path(folder)
    try:
        items, offsets, times = (np.load(place / f"{name}.npy", mmap_mode="c") for name in _ARRAYS)
        ids = pl.read_parquet(place / "ids.parquet")[SESSION]
        unknown = pl.read_parquet(place / "unknown.parquet")
        vocabulary = Vocabulary.read(place / "vocabulary.parquet")
    except (OSError, ValueError, EOFError, pl.exceptions.PolarsError) as error:
        raise ClickLogError(
            f"cannot read the packed sessions in {place}: {error}. What to do: prepare them again"
        ) from error
    if len(offsets) != len(ids) + 1 or len(items) != len(times) or offsets[-1] != len(items):
        raise ClickLogError(
            f"the packed sessions in {place} do not fit together. What to do: prepare them again"
        )
    return Sessions(items, offsets, times, ids, vocabulary, unknown)


def _write_tables(place: Path, ids: pl.Series, unknown: pl.DataFrame, vocabulary: Vocabulary) -> None:
    ids.alias(SESSION).to_frame().write_parquet(place / "ids.parquet")
    unknown.write_parquet(place / "unknown.parquet")
    vocabulary.write(place / "vocabulary.parquet")


class Packer:
    """Packs tables of whole sessions, given in order, into one folder of packed sessions."""

    def __init__(self, folder: Path, n_events: int, vocabulary: Vocabulary) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._vocabulary = vocabulary
        self._items = _array(folder / "items.npy", n_events, np.int32)
        self._times = _array(folder / "times.npy", n_events, np.int64)
        self._filled = 0
        self._parts: list[tuple[NDArray[np.int64], pl.Series, pl.DataFrame]] = []

    def add(self, table: pl.DataFrame) -> None:
        """Add whole sessions: rows with session_id, item_id and time in their final order."""
        part = Sessions.in_order(table, self._vocabulary)
        end = self._filled + part.n_events
        self._items[self._filled : end] = part.items
        self._times[self._filled : end] = part.times
        self._filled = end
        self._parts.append((part.lengths, part.ids, part.unknown))

    @property
    def n_sessions(self) -> int:
        """Sessions added so far."""
        return sum(len(part[1]) for part in self._parts)

    def close(self) -> Sessions:
        """Write what is left and map the whole into memory."""
        lengths = np.concatenate([np.zeros(1, dtype=np.int64), *(part[0] for part in self._parts)])
        np.save(self._folder / "offsets.npy", np.cumsum(lengths))
        nothing = {SESSION: pl.Int64(), ITEM: pl.Int64(), TIME: UTC_TIME}
        empty = Sessions.from_events(pl.DataFrame(schema=nothing))
        ids = pl.concat([part[1] for part in self._parts]) if self._parts else empty.ids
        unknown = pl.concat([part[2] for part in self._parts]) if self._parts else empty.unknown
        _write_tables(self._folder, ids, unknown, self._vocabulary)
        for array in (self._items, self._times):
            if isinstance(array, np.memmap):
                array.flush()
        return read_sessions(self._folder)


def _array(path: Path, size: int, kind: type[np.generic]) -> NDArray[Any]:
    if size == 0:  # an empty file cannot be mapped
        np.save(path, np.empty(0, dtype=kind))
        return np.empty(0, dtype=kind)
    return np.lib.format.open_memmap(path, "w+", dtype=kind, shape=(size,))
