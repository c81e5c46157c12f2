"""A folder put in the place of an older one, whole, and held against the digests of its files."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from recsys_gru.engines import Engine
from recsys_gru.errors import ClickLogError


@contextmanager
def whole(place: Path) -> Iterator[Path]:
    """A folder that is there whole or not at all, whoever is killed and whoever else does the same work."""
    aside = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    aside.mkdir(parents=True)
    try:
        yield aside
        aside.rename(place)
    except OSError:
        if not place.exists():
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def put(file: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    aside = file.with_name(f".{file.name}")
    aside.write_text(text)
    aside.replace(file)


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


def digests(folder: Path, engine: Engine) -> dict[str, str]:
    """The SHA-256 of every file by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in files)
    return dict(zip(names, engine.map(_sha256, files), strict=True))


def sealed(folder: Path, facts: Mapping[str, object], engine: Engine) -> dict[str, object]:
    """Facts with the digests of the files of a folder, and one of all this."""
    told = {**facts, "sha256": digests(folder, engine)}
    return {**told, "seal": _seal(told)}


def verify(folder: Path, facts: Mapping[str, object]) -> None:
    """Hold every file, and the facts themselves, against the digests that were taken when they were written.

    Raises:
        ClickLogError: a file is another, or there are no digests.
    """
    told, expected = {name: fact for name, fact in facts.items() if name != "seal"}, facts.get("sha256")
    if not isinstance(expected, dict):
        raise ClickLogError(
            f"{folder} was prepared by a version that took no digests. What to do: prepare it again"
        )
    if facts.get("seal") != _seal(told):
        raise ClickLogError(f"the facts on {folder} are not what prepare wrote. What to do: prepare it again")
    for name, digest in expected.items():
        if _sha256(folder / name) != digest:
            raise ClickLogError(f"{folder / name} is not what prepare wrote. What to do: prepare it again")


def _seal(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
