"""Packed sessions on disk, read back as memory-mapped arrays without a copy.

Everything that a compiled loop takes for granted is checked on reading: types, lengths, and that numbers lie
within what they count.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import place as path_text
from recsys_gru.clicks.found import PREPARED as PREPARED
from recsys_gru.clicks.frames import ITEM, SESSION, TIME, UTC_TIME
from recsys_gru.clicks.moment import GAP, HOUR
from recsys_gru.errors import ClickLogError, ParameterError, RecsysError
from recsys_gru.sessions.ordered import GAPS, HOURS
from recsys_gru.sessions.packed import POSITION, Sessions
from recsys_gru.sessions.vocabulary import Vocabulary

_MOST_FACTS = 1 << 26
_ARRAYS = ("items", "offsets", "times")
MOMENT = "moment.parquet"
DAMAGED = (
    OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError, SyntaxError, OverflowError,
    pl.exceptions.PolarsError, pl.exceptions.PanicException,
)  # fmt: skip
"""What readers raise at a file whose bytes are not those that were written."""


def write_sessions(sessions: Sessions, folder: str | Path) -> None:
    """Write packed sessions to a folder: items, offsets and times as .npy, ids, vocabulary and unknown as
    Parquet.

    Raises:
        ParameterError: if they have a moment from which clicks count: a folder cannot hold it.

    >>> import tempfile
    >>> log = pl.DataFrame({"session_id": [1], "item_id": [7], "time": [0]})
    >>> log = log.cast({"time": pl.Datetime("us", "UTC")})
    >>> folder, sessions = tempfile.mkdtemp(), Sessions.from_events(log)
    >>> write_sessions(sessions, folder)
    >>> read_sessions(folder).fingerprint() == sessions.fingerprint()
    True
    """
    if sessions.since is not None:
        raise ParameterError(
            "expected sessions of which every click counts, got some that count from a moment on, which a "
            "folder cannot tell: write the whole log"
        )
    place = Path(path_text("folder", folder))
    place.mkdir(parents=True, exist_ok=True)
    for name in _ARRAYS:
        np.save(place / f"{name}.npy", getattr(sessions, name))
    write_tables(place, sessions.ids, sessions.unknown, sessions.vocabulary)
    if sessions.moment is not None:
        sessions.moment.write_parquet(place / MOMENT)
    else:
        (place / MOMENT).unlink(missing_ok=True)


def is_packed(folder: Path) -> bool:
    """Whether ``write_sessions`` wrote the folder."""
    return all((folder / f"{name}.npy").is_file() for name in _ARRAYS)


def require_files(folder: Path) -> None:
    """Look at what lies in a folder before it is opened: a pipe might never answer, a device never end.

    Raises:
        ValueError: something is neither a file nor a folder, or facts are larger than any that were written.
    """
    for path in folder.iterdir():
        if not path.is_dir() and not path.is_file():
            raise ValueError(f"{path.name} is no file")
        if path.suffix == ".json" and path.stat().st_size > _MOST_FACTS:
            raise ValueError(
                f"{path.name} has {path.stat().st_size:,} bytes, expected {_MOST_FACTS:,} at most"
            )


def read_sessions(folder: str | Path) -> Sessions:
    """Map packed sessions into memory; no write reaches the files.

    Types, lengths and bounds of all arrays are checked, so that nothing damaged is computed with.

    Raises:
        ClickLogError: a file is missing or damaged.
    """
    place = Path(path_text("folder", folder))
    try:
        require_files(place)
        items: NDArray[np.int32] = _mapped(place / "items.npy", np.int32)
        offsets, times = (_mapped(place / f"{name}.npy", np.int64) for name in _ARRAYS[1:])
        ids = pl.read_parquet(place / "ids.parquet", glob=False)[SESSION]
        unknown = pl.read_parquet(place / "unknown.parquet", glob=False)
        vocabulary = Vocabulary.read(place / "vocabulary.parquet")
        moment = pl.read_parquet(place / MOMENT, glob=False) if (place / MOMENT).exists() else None
        found = Sessions(items, offsets, times, ids, vocabulary, unknown, None, moment)
        fault = _fault(found)
    except (*DAMAGED, RecsysError) as error:
        raise ClickLogError(
            f"cannot read the packed sessions in {place}: {error}. What to do: prepare them again"
        ) from error
    if fault:
        raise ClickLogError(
            f"the packed sessions in {place} do not fit together: {fault}. What to do: prepare them again"
        )
    return found


def _mapped(path: Path, kind: type[np.generic]) -> "NDArray[Any]":
    try:
        array = np.load(path, mmap_mode="c")
    except Exception as error:  # a head that says nothing raises whatever Python's tokenizer does
        raise ValueError(f"{path.name}: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(kind) or array.ndim != 1:
        raise ValueError(f"{path.name} holds other numbers than {np.dtype(kind)}")
    return array


def _fault(found: Sessions) -> str:
    """What does not fit together, in words; nothing where all does."""
    items, offsets, unknown, n_items = found.items, found.offsets, found.unknown, len(found.vocabulary)
    if len(offsets) != len(found.ids) + 1 or len(items) != len(found.times):
        return "arrays of different lengths"
    if offsets[0] != 0 or offsets[-1] != len(items) or (np.diff(offsets) < 0).any():
        return "sessions that do not follow each other"
    if len(items) and (items.min() < 0 or items.max() >= n_items):
        return f"item numbers outside 0 to {n_items - 1}"
    if n_items and found.vocabulary.support.min() < 0:
        return "items of negative support"
    if found.ids.null_count():
        return "sessions without an id"
    labels = pl.Schema() if found.moment is None else found.moment.schema
    if unknown.columns != [SESSION, POSITION, ITEM, TIME, *labels]:
        return "unknown items of another form"
    if found.moment is not None and (found.moment.height != len(items) or not _are_labels(found.moment)):
        return "labels of other events"
    return _fault_of_unknown(found) if unknown.height else ""


def _are_labels(moment: pl.DataFrame) -> bool:
    """Whether these are columns of text, or of numbers that stand for gaps and hours."""
    most = {GAP: GAPS, HOUR: HOURS}
    return all(
        values.dtype == pl.String
        or (values.dtype == pl.Int64 and name in most and bool(values.is_between(0, most[name] - 1).all()))
        for name, values in moment.to_dict().items()
    )


def _fault_of_unknown(found: Sessions) -> str:
    """The unknown clicks of a session have places of their own in it."""
    expected = {SESSION: found.ids.dtype, POSITION: pl.Int64, TIME: UTC_TIME}
    if any(found.unknown.schema[name] != kind for name, kind in expected.items()):
        return "unknown items of another form"
    sizes = pl.DataFrame({SESSION: found.ids, "known": found.lengths})
    table = found.unknown.join(sizes, on=SESSION, how="left", maintain_order="left")
    size = pl.col("known") + pl.len().over(SESSION)
    inside = pl.col(POSITION).is_between(0, size - 1).fill_null(value=False)
    whole = found.unknown.select(SESSION, POSITION, ITEM, TIME)
    if table.height != found.unknown.height or whole.null_count().to_numpy().any():
        return "unknown items of no session"
    if not table.select(inside.all()).item() or table.select(SESSION, POSITION).is_duplicated().any():
        return "unknown items without a place in their session"
    return ""


def write_tables(place: Path, ids: pl.Series, unknown: pl.DataFrame, vocabulary: Vocabulary) -> None:
    ids.alias(SESSION).to_frame().write_parquet(place / "ids.parquet")
    unknown.write_parquet(place / "unknown.parquet")
    vocabulary.write(place / "vocabulary.parquet")
