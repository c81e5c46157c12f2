"""A folder put in the place of an older one, whole, and held against the digests of its files."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from recsys_gru.engines import Engine
from recsys_gru.files import Url, drop, names_in, objects_in, send, write_text
from recsys_gru.sessions.files import PREPARED
from recsys_gru.sessions.seals import UNFINISHED, seal_of, sha256_of


def replaced(place: Path) -> Path:
    """Where the older result lies while the new one takes its place."""
    return place.with_name(f".{place.name}.replaced")


def replace(place: Path, new: Path) -> None:
    """Put a whole new folder in the place of an older one; broken off anywhere, one of them is found."""
    older = replaced(place)
    if place.exists():
        place.rename(older)
    new.rename(place)
    shutil.rmtree(older, ignore_errors=True)


def recover(place: Path) -> None:
    """Make good what was left by one that was broken off while it put its result in place."""
    older = replaced(place)
    if older.exists() and not place.exists():
        older.rename(place)
    shutil.rmtree(older, ignore_errors=True)


def publish(new: Path, place: Url) -> None:
    """Put a whole new folder in the place of an older one in a store; in between it is told as unfinished."""
    older, names = objects_in(place), names_in(new)
    write_text(place / PREPARED, UNFINISHED)
    send(new, place, [name for name in names if name != PREPARED])
    drop(older.keys() - {place / name for name in names})
    send(new, place, [PREPARED])


def digests(folder: Path, engine: Engine) -> dict[str, str]:
    """The SHA-256 of every file by its path in the folder."""
    names = names_in(folder)
    return dict(zip(names, engine.map(sha256_of, [folder / name for name in names]), strict=True))


def sealed(folder: Path, facts: Mapping[str, object], engine: Engine) -> dict[str, object]:
    """Facts with the digests of the files of a folder, and one of all this."""
    told = {**facts, "sha256": digests(folder, engine)}
    return {**told, "seal": seal_of(told)}
