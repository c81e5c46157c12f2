"""From a log of any size to packed training and test sessions, in bounded memory.

A log that is larger than one bucket is dealt out to several by a hash of the session (or user) on disk;
checks, sessions and filters work on one bucket at a time, here or on an engine's workers. The first stage
turns ids into numbers; later ones see arrays only. The events that stay go straight to their place in mapped
arrays. What grows with the log in memory is some numbers per item, and some numbers and the id per session.
"""

import dataclasses
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from recsys_gru.arguments import flag, function, whole_number
from recsys_gru.arguments import place as path_text
from recsys_gru.clicks.check import ready
from recsys_gru.clicks.frames import Frame
from recsys_gru.clicks.ledger import Ledger, Size
from recsys_gru.clicks.recipe import Recipe, recipe_in
from recsys_gru.engines import EngineLike, engine_in
from recsys_gru.errors import ClickLogError, InputError, ParameterError, RecsysError, StoreError
from recsys_gru.files import Place, Url, objects_in, place_at, remove
from recsys_gru.preparation.buckets import ROWS_AT_ONCE
from recsys_gru.preparation.finish import TEST, TRAIN, OnProgress
from recsys_gru.preparation.place import publish, recover, replace, replaced
from recsys_gru.preparation.working import Work
from recsys_gru.sessions.files import DAMAGED, PREPARED, read_sessions, require_files
from recsys_gru.sessions.packed import Sessions
from recsys_gru.sessions.seals import cache, copy_of, kept
from recsys_gru.sessions.seals import verify as verify_files


@dataclass(frozen=True)
class Prepared:
    """A prepared log on disk.

    Attributes:
        folder: train/ and test/ (packed sessions), quarantine/ (rejected rows with their reason),
            ledger.parquet; of an object store this machine's copy.
        train: packed sessions before the cut, memory-mapped.
        test: packed sessions that begin at or after the cut, with the vocabulary of ``train``.
        cut: the moment between them, UTC.
        ledger: what every rule removed.
        counts: rows read, train, test and rejected; the first is the sum of the others.
    """

    folder: Path
    train: Sessions
    test: Sessions
    cut: datetime
    ledger: Ledger
    counts: dict[str, int]

    def test_part(self) -> tuple[Size, Size]:
        """What the rules left, and what of it is to learn from: the line of the ledger that follows them."""
        parts = (self.train, self.test)
        rows, sessions = sum(part.n_events for part in parts), sum(part.n_sessions for part in parts)
        both = Size(rows, sessions, len(self.train.vocabulary))  # the test part has no other items
        left = Size(self.train.n_events, self.train.n_sessions, len(self.train.vocabulary))
        return self.ledger.entries[-1].after if self.ledger.entries else both, left


def prepare(
    clicks: Frame,
    folder: str | Path,
    recipe: Recipe | None = None,
    *,
    rows_per_bucket: int = ROWS_AT_ONCE,
    on_progress: OnProgress | None = None,
    engine: EngineLike = "local",
) -> Prepared:
    """Check, sessionise, split, filter and pack a log of any size into a folder.

    ``clicks`` comes from read_clicks; ``on_progress`` is called with the stage and how many of its parts are
    done. The folder is written aside and renamed, and holds no half result; it may be one of an object store,
    ``s3://bucket/data``. The answer is the same for any bucket size and engine: with "ray" the workers of a
    cluster share the buckets, and what was killed goes on when it is called again.

    Raises:
        InputError: the folder holds something else than a prepared log.
        ClickLogError: no usable training event is left.
        SchemaError: a column is missing.
        ParameterError: an argument is impossible.
        StoreError: the object store cannot be used.

    >>> import tempfile
    >>> from recsys_gru.clicks.generate import generate_clicks
    >>> prepared = prepare(generate_clicks(500, 50, days=5, seed=1), Path(tempfile.mkdtemp()) / "log")
    >>> prepared.counts["read"] == prepared.ledger.entries[0].before.rows
    True
    """
    place = place_at(path_text("folder", folder))
    aside, recipe = f"{place.name}.partial", recipe_in(recipe)
    at_once = whole_number("rows_per_bucket", rows_per_bucket, 1)
    tell = on_progress or _silent
    function("on_progress", tell)
    rows = ready(clicks)
    _require_room(place)
    with engine_in(engine) as moving:
        if isinstance(place, Url):
            return _stored(place, Work(Path(), place.with_name(aside), recipe, at_once, moving, tell), rows)
        folder = place.absolute().with_name(aside)
        _made(Work(folder, folder, recipe, at_once, moving, tell), rows)
    replace(place, folder)
    return read_prepared(place)


def _require_room(place: Place) -> None:
    """Refuse a folder that holds something else than a prepared log."""
    if isinstance(place, Url):
        if len(place.parts) < 3:
            raise ParameterError(f"expected folder as one in a bucket, got {place}: write s3://bucket/data")
        found = objects_in(place)
        foreign = found and place / PREPARED not in found
    else:
        recover(place)
        foreign = place.exists() and any(place.iterdir()) and not (place / PREPARED).exists()
    if foreign:
        raise InputError(f"{place} holds other files; expected a new folder or one that prepare wrote")


def _stored(place: Url, work: Work, rows: pl.LazyFrame) -> Prepared:
    """Make the folder here and put it into its store; what was made is this machine's copy."""
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".new-") as folder:
        new = Path(folder) / place.name
        shared = work.shared if work.engine.lasting else new
        _made(dataclasses.replace(work, folder=new, shared=shared), rows)
        publish(new, place)
        if shared != new:
            remove(shared)
        copy = kept(json.loads((new / PREPARED).read_text()))
        with suppress(OSError):  # another program has the same
            new.rename(copy)
    return read_prepared(copy)


def read_prepared(folder: str | Path, *, verify: bool = False) -> Prepared:
    """Open a folder that ``prepare`` wrote; the sessions are memory-mapped.

    Lengths and bounds of all arrays are checked in any case; with ``verify`` every file is read and held
    against its SHA-256, so that not one changed bit goes unnoticed. One of an object store is brought to this
    machine first, unless that was done before.

    Raises:
        ClickLogError: the folder is none, or damaged.
        ParameterError: ``folder`` is no path.
    """
    named, verify = place_at(path_text("folder", folder)), flag("verify", verify)
    place = copy_of(named) if isinstance(named, Url) else named
    if not place.exists() and replaced(place).exists():
        place = replaced(place)  # a prepare was broken off, or is just putting its result in place
    try:
        require_files(place)
        summary = json.loads((place / PREPARED).read_text())
        cut, counts = datetime.fromisoformat(summary["cut"]), dict(summary["counts"])
        if verify:
            verify_files(place, summary)
        ledger = Ledger.read(place / "ledger.parquet")
        rows = counts["read"], counts[TRAIN], counts[TEST], counts["rejected"]
        train, test = (read_sessions(place / part) for part in (TRAIN, TEST))
    except DAMAGED as error:
        raise ClickLogError(
            f"cannot open the prepared log {place}: {error}. What to do: prepare it again"
        ) from error
    if rows[0] != sum(rows[1:]) or rows[1:3] != (train.n_events, test.n_events):
        raise ClickLogError(f"the counts in {place / PREPARED} do not add up. What to do: prepare it again")
    return Prepared(place, train, test, cut, ledger, counts)


def _made(work: Work, rows: pl.LazyFrame) -> None:
    """Fill the folder; what cannot be used leaves nothing, and what is worth it can go on."""
    if not work.engine.lasting:
        remove(work.folder)
    work.folder.mkdir(parents=True, exist_ok=True)
    try:
        work.run(rows)
    except BaseException as error:
        of_the_log = isinstance(error, RecsysError) and not isinstance(error, StoreError)
        if of_the_log or not work.engine.lasting:
            remove(work.shared)
        raise


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody asked for progress."""
