"""Writing the folder of a saved model: whole, or beside an older one only what is another.

A folder is written aside under a hidden name, synced, and renamed into place. While an older model is
replaced it lies for a moment under ``.NAME.old`` beside the folder, and readers look there: whenever the
writer is killed, the old model or the new one is found. One writer at a time.

No file is ever changed in place, so a file that is as the base's may be the base's own, by a hard link: it
stays as long as one of the folders does.
"""

import hashlib
import os
import platform
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import final

import polars as pl

from recsys_gru.contract.bundle import CHANGES, VOCABULARY, WEIGHTS, Bundle, aside_of
from recsys_gru.contract.card import CARD, card
from recsys_gru.contract.changes import Arrays, Changes, changes_between
from recsys_gru.contract.manifest import (
    FORMAT,
    MANIFEST,
    WITH_CHANGES,
    FileSeal,
    Manifest,
    render_manifest,
)
from recsys_gru.contract.reading import read_manifest
from recsys_gru.errors import BundleError, InputError
from recsys_gru.files import arrays_of, link, opened, sync, write_arrays
from recsys_gru.sessions import Vocabulary

CANNOT_WRITE = (OSError, pl.exceptions.PolarsError)
LIBRARIES = ("numpy", "polars", "recsys-gru", "safetensors", "torch")
Place = str | os.PathLike[str]


@final
@dataclass(frozen=True, eq=False)
class Base:
    """An older model: its folder, its seals, and the arrays that its changes, if it has some, are made to."""

    folder: Path
    files: Mapping[str, FileSeal]
    arrays: Arrays


def write_bundle(folder: Place, bundle: Bundle, base: Place | None = None) -> None:
    """Write the folder whole, in place of an older model of the same name; a link is followed.

    Args:
        base: the folder of an older model. Of large arrays only the rows that are not as there are written,
            and files that are as there are linked, or copied where the disk knows no links.

    Raises:
        BundleError: if the folder holds something else than a saved model, or the disk refuses.
    """
    target = Path(folder).absolute()
    try:
        older = None if base is None else _base_in(Path(base))
        arrays = _to_write(bundle, older)
        manifest = _manifest(bundle, WITH_CHANGES if CHANGES in arrays else FORMAT)
        target = target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _refuse_foreign(target)
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(8)}.new")
        try:
            _fill(fresh, bundle.vocabulary, manifest, arrays, older)
            _swap(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except (*CANNOT_WRITE, RuntimeError, ValueError) as error:  # a ring of links, a name that no disk takes
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            f"cannot write the model folder {target}: {error}; expected a writable place with space left"
        ) from error


def _base_in(folder: Path) -> Base | None:
    """What can be gone on from; None where it is damaged or gone: then all is written anew."""
    try:
        manifest, path = read_manifest(folder), folder / WEIGHTS
        with opened(path, follow=False) as file:
            if os.fstat(file.fileno()).st_size != manifest.files[WEIGHTS].size:
                return None
            arrays, _ = arrays_of(mmap(file.fileno(), 0, access=ACCESS_READ))
    except (BundleError, InputError, OSError):
        return None
    return Base(folder, manifest.files, arrays)


def _to_write(bundle: Bundle, base: Base | None) -> dict[str, Changes]:
    """The arrays of each file that the base does not have."""
    changes = None if base is None else changes_between(base.arrays, bundle.weights)
    if changes is None:
        return {WEIGHTS: bundle.weights}
    return {CHANGES: changes} if changes else {}


def _manifest(bundle: Bundle, number: int) -> Manifest:
    """What the folder will say of itself, but for the seals of its files."""
    manifest = Manifest(
        format=number,
        model=bundle.model,
        parameters=bundle.parameters,
        metrics=bundle.metrics,
        metadata=bundle.metadata,
        fingerprint=bundle.fingerprint,
        libraries=_libraries(),
        files={},
    )
    render_manifest(manifest)  # what cannot be told is refused before anything is written
    return manifest


def _fill(
    folder: Path, vocabulary: Vocabulary, manifest: Manifest, arrays: Mapping[str, Changes], base: Base | None
) -> None:
    """Write and sync the files; those that the base has are linked."""
    folder.mkdir()
    contents = {CARD: card(manifest, vocabulary), VOCABULARY: vocabulary.to_bytes()}
    seals = {name: FileSeal.of(content) for name, content in contents.items()}
    if base is not None:
        seals |= {} if WEIGHTS in arrays else {WEIGHTS: base.files[WEIGHTS]}
        same = [name for name, seal in seals.items() if base.files.get(name) == seal]
        for name in same:
            link(base.folder / name, folder / name)
            contents.pop(name, None)
    seals |= {name: _write_arrays(folder / name, values) for name, values in arrays.items()}
    contents[MANIFEST] = render_manifest(replace(manifest, files=seals))
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for path in (*folder.iterdir(), folder):
        sync(path)


def _write_arrays(path: Path, arrays: Changes) -> FileSeal:
    """Write the arrays, none of them copied, and return the file's seal."""
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def write(part: bytes | memoryview) -> None:
            digest.update(part)
            file.write(part)

        write_arrays(write, arrays)
        return FileSeal(file.tell(), digest.hexdigest())


def _swap(fresh: Path, target: Path) -> None:
    """Put the fresh folder in the target's place; the old one waits under a name that readers know."""
    aside = aside_of(target)
    if target.exists():
        target.rename(aside)
    try:
        fresh.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _recover(target: Path) -> None:
    """Finish what a killed writer began: its old folder goes back if there is no new one, the rest goes."""
    unfinished = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8,16}}\.new")
    for path in target.parent.iterdir():
        if unfinished.fullmatch(path.name):
            shutil.rmtree(path)
    aside = aside_of(target)
    if aside.exists():
        if target.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(target)


def _refuse_foreign(target: Path) -> None:
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise BundleError(f"{target} holds files but no {MANIFEST}: expected a new folder or a saved model")
    if target.exists() and not target.is_dir():
        raise BundleError(f"{target} is a file: expected the name of a folder")


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
