"""The saved model: a folder of manifest, weights and vocabulary, whole or refused.

A folder is written aside under a hidden name, synced, and renamed into place. While an older model is
replaced it lies for a moment under ``.NAME.old`` beside the folder, and readers look there: whenever the
writer is killed, the old model or the new one is found. One writer at a time.
"""

import hashlib
import os
import platform
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.contract.card import CARD, card
from recsys_gru.contract.manifest import (
    FORMAT,
    MANIFEST,
    FileSeal,
    Manifest,
    render_manifest,
)
from recsys_gru.errors import BundleError
from recsys_gru.files import sync, write_arrays
from recsys_gru.sessions import Vocabulary

WEIGHTS = "weights.safetensors"
VOCABULARY = "vocabulary.parquet"
CANNOT_WRITE = (OSError, pl.exceptions.PolarsError)
LIBRARIES = ("numpy", "polars", "recsys-gru", "safetensors", "torch")


@final
@dataclass(frozen=True, eq=False)
class Bundle:
    """All that a fitted model is, in plain values.

    Attributes:
        model: name of the recommender's class.
        parameters: its hyper-parameters, as JSON can hold them.
        weights: its fitted arrays by name.
        vocabulary: its items.
        fingerprint: of the sessions it was fitted on.
        metrics: figures to keep beside it.
        metadata: anything the caller wants to be told again, such as a time of creation.
    """

    model: str
    parameters: Mapping[str, object]
    weights: Mapping[str, NDArray[np.generic]]
    vocabulary: Vocabulary
    fingerprint: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def write_bundle(folder: str | os.PathLike[str], bundle: Bundle) -> None:
    """Write the folder whole, in place of an older model of the same name; a link is followed.

    Raises:
        BundleError: if the folder holds something else than a saved model, or the disk refuses.
    """
    target = Path(folder).absolute()
    try:
        manifest = _manifest(bundle)
        target = target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _refuse_foreign(target)
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(8)}.new")
        try:
            _fill(fresh, bundle, manifest)
            _swap(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except (*CANNOT_WRITE, RuntimeError, ValueError) as error:  # a ring of links, a name that no disk takes
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            f"cannot write the model folder {target}: {error}; expected a writable place with space left"
        ) from error


def _manifest(bundle: Bundle) -> Manifest:
    """What the folder will say of itself, but for the seals of its files."""
    manifest = Manifest(
        format=FORMAT,
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


def _fill(folder: Path, bundle: Bundle, manifest: Manifest) -> None:
    """Write and sync the four files."""
    folder.mkdir()
    contents = {CARD: card(manifest, bundle.vocabulary), VOCABULARY: bundle.vocabulary.to_bytes()}
    seals = {name: FileSeal.of(content) for name, content in contents.items()}
    seals[WEIGHTS] = _write_weights(folder / WEIGHTS, bundle.weights)
    contents[MANIFEST] = render_manifest(replace(manifest, files=seals))
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for path in (*(folder / name for name in (*contents, WEIGHTS)), folder):
        sync(path)


def _write_weights(path: Path, weights: Mapping[str, NDArray[np.generic]]) -> FileSeal:
    """Write the arrays, none of them copied, and return the file's seal."""
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def write(part: bytes | memoryview) -> None:
            digest.update(part)
            file.write(part)

        write_arrays(write, weights)
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


def aside_of(target: Path) -> Path:
    """Where an older model lies for a moment."""
    return target.with_name(f".{target.name}.old")


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
