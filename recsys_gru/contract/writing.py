"""Writing the folder of a saved model: whole, or beside an older one only what is another.

A folder is written aside under a hidden name, synced, and renamed into place. While an older model is
replaced it lies for a moment under ``.NAME.old`` beside the folder, and readers look there: whenever the
writer is killed, the old model or the new one is found. One writer at a time.

No file is ever changed in place, so a file that is as the base's may be the base's own, by a hard link: it
stays as long as one of the folders does.
"""

import os
import platform
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import final

import polars as pl

from recsys_gru.contract.bundle import CHANGES, VOCABULARY, WEIGHTS, Bundle, aside_of
from recsys_gru.contract.card import CARD, card
from recsys_gru.contract.changes import Arrays, changes_between
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
from recsys_gru.files import arrays_of, link, opened, parts_of, sync

CANNOT_WRITE = (OSError, pl.exceptions.PolarsError)
LIBRARIES = ("numpy", "polars", "recsys-gru", "safetensors", "torch")
Parts = list[memoryview]
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
        contents, shared = _contents(bundle, older)
        target = target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _refuse_foreign(target)
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(8)}.new")
        try:
            _fill(fresh, contents, shared)
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


def _contents(bundle: Bundle, base: Base | None) -> tuple[dict[str, Parts], list[Path]]:
    """The bytes of the files to be written, and the base's files that belong here as they are."""
    changes = None if base is None else changes_between(base.arrays, bundle.weights)
    seals: dict[str, FileSeal] = {}
    contents = {VOCABULARY: [memoryview(bundle.vocabulary.to_bytes())]}
    if base is None or changes is None:
        contents[WEIGHTS] = parts_of(bundle.weights)
    else:
        seals[WEIGHTS] = base.files[WEIGHTS]
        contents |= {CHANGES: parts_of(changes)} if changes else {}
    manifest = Manifest(
        format=WITH_CHANGES if CHANGES in contents else FORMAT,
        model=bundle.model,
        parameters=bundle.parameters,
        metrics=bundle.metrics,
        metadata=bundle.metadata,
        fingerprint=bundle.fingerprint,
        libraries=_libraries(),
        files={},
    )
    render_manifest(manifest)  # what cannot be told is refused before the card tells it
    contents[CARD] = [memoryview(card(manifest, bundle.vocabulary))]
    seals |= {name: FileSeal.of(*parts) for name, parts in contents.items()}
    same = [] if base is None else [name for name, seal in seals.items() if base.files.get(name) == seal]
    written = {name: parts for name, parts in contents.items() if name not in same}
    written[MANIFEST] = [memoryview(render_manifest(replace(manifest, files=seals)))]
    return written, [] if base is None else [base.folder / name for name in same]


def _fill(folder: Path, contents: Mapping[str, Parts], shared: Collection[Path]) -> None:
    """Write and sync the files."""
    folder.mkdir()
    for name, parts in contents.items():
        _write(folder / name, parts)
    for path in shared:
        link(path, folder / path.name)
    for path in (*folder.iterdir(), folder):
        sync(path)


def _write(path: Path, parts: Parts) -> None:
    with path.open("wb") as file:
        file.writelines(parts)


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
