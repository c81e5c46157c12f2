"""A prepared log held against the digests of its files, and brought here from an object store."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from recsys_gru.errors import ClickLogError
from recsys_gru.files import Url, fetch, read_text, whole
from recsys_gru.sessions.files import PREPARED

UNFINISHED = "{}"
"""What lies in a store in place of the facts while the files are sent there."""


def cache() -> Path:
    """Where copies of what lies in object stores are kept; whoever likes may take them away."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recsys-gru"


def verify(folder: Path, facts: Mapping[str, object]) -> None:
    """Hold every file, and the facts themselves, against the digests that were taken when they were written.

    Raises:
        ClickLogError: a file is another, or there are no digests.
    """
    for name, digest in sealed_files(folder, facts).items():
        if sha256_of(folder / name) != digest:
            raise ClickLogError(f"{folder / name} is not what prepare wrote. What to do: prepare it again")


def sealed_files(folder: Path | Url, facts: Mapping[str, object]) -> dict[str, str]:
    """The digest of each file of a prepared log, by its path.

    Raises:
        ClickLogError: there are none, or the facts are not what was written.
    """
    told, expected = {name: fact for name, fact in facts.items() if name != "seal"}, facts.get("sha256")
    if not isinstance(expected, dict):
        raise ClickLogError(
            f"{folder} was prepared by a version that took no digests. What to do: prepare it again"
        )
    if facts.get("seal") != seal_of(told):
        raise ClickLogError(f"the facts on {folder} are not what prepare wrote. What to do: prepare it again")
    return expected


def copy_of(place: Url) -> Path:
    """A prepared log of an object store on this machine, every file held against its digest; one that was
    brought before is found again.

    Raises:
        ClickLogError: there is none, or it is damaged.
        StoreError: the store cannot be used.
    """
    try:
        text = read_text(place / PREPARED)
        if text == UNFINISHED:
            raise ClickLogError(
                f"{place} is being written, or its prepare was broken off. What to do: wait, or "
                "prepare it again"
            )
        facts = json.loads(text)
        names = sealed_files(place, facts)
    except FileNotFoundError as error:
        raise ClickLogError(
            f"expected a prepared log in {place}, there is none. What to do: recsys-gru prepare CLICKS --out "
            f"{place} makes one"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise ClickLogError(f"cannot open {place}: {error}. What to do: prepare it again") from error
    if strange := [name for name in names if {"..", "/"} & {*PurePosixPath(name).parts}]:
        raise ClickLogError(f"expected files in {place}, got {strange[:5]}. What to do: prepare it again")
    folder = kept(facts)
    if not folder.exists():
        with whole(folder) as aside:
            fetch(place, aside, names)
            (aside / PREPARED).write_text(text)
            verify(aside, facts)
    return folder


def kept(facts: Mapping[str, object]) -> Path:
    """Where the copy of a prepared log with these facts is kept."""
    return cache() / str(facts["seal"])


def seal_of(facts: Mapping[str, object]) -> str:
    """One digest of the facts on a prepared log."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
