"""Packed sessions on disk, read back as memory-mapped arrays without a copy."""

from pathlib import Path

import numpy as np
import polars as pl

from recsys_gru.clicks.frames import SESSION
from recsys_gru.errors import ClickLogError
from recsys_gru.sessions.packed import Sessions
from recsys_gru.sessions.vocabulary import Vocabulary

_ARRAYS = ("items", "offsets", "times")


def write_sessions(sessions: Sessions, folder: str | Path) -> None:
    """Write packed sessions to a folder: items, offsets and times as .npy, ids, vocabulary and unknown as
    Parquet.

    >>> import tempfile
    >>> log = pl.DataFrame({"session_id": [1], "item_id": [7], "time": [0]})
    >>> log = log.cast({"time": pl.Datetime("us", "UTC")})
    >>> folder, sessions = tempfile.mkdtemp(), Sessions.from_events(log)
    >>> write_sessions(sessions, folder)
    >>> read_sessions(folder).fingerprint() == sessions.fingerprint()
    True
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name in _ARRAYS:
        np.save(place / f"{name}.npy", getattr(sessions, name))
    write_tables(place, sessions.ids, sessions.unknown, sessions.vocabulary)


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


def write_tables(place: Path, ids: pl.Series, unknown: pl.DataFrame, vocabulary: Vocabulary) -> None:
    ids.alias(SESSION).to_frame().write_parquet(place / "ids.parquet")
    unknown.write_parquet(place / "unknown.parquet")
    vocabulary.write(place / "vocabulary.parquet")
