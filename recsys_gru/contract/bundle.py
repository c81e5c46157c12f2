"""The saved model: a folder of manifest, weights and vocabulary, whole or refused.

A folder is written aside under a hidden name, synced, and renamed into place. While an older model is
replaced it lies for a moment under ``.NAME.old`` beside the folder, and readers look there: whenever the
writer is killed, the old model or the new one is found. One writer at a time.
"""

import glob
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as bytes_of

from recsys_gru.contract.manifest import FORMAT, MANIFEST, FileSeal, Manifest, parse_manifest, render_manifest
from recsys_gru.errors import BundleError, RecsysError
from recsys_gru.folders import sync
from recsys_gru.sessions import Vocabulary

WEIGHTS = "weights.safetensors"
VOCABULARY = "vocabulary.parquet"
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
    """Write the folder whole, in place of an older model of the same name.

    Raises:
        BundleError: if the folder holds something else than a saved model, or the disk refuses.
    """
    target = Path(folder).absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        _refuse_foreign(target)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))
        try:
            _fill(fresh, bundle)
            _swap(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise BundleError(
            f"cannot write the model folder {target}: {error}; expected a writable place with space left"
        ) from error


def read_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """Read a folder after checking every byte of it.

    Raises:
        BundleError: if a file is missing, damaged, foreign, or of a newer format; the message names it.
    """
    target = Path(folder).absolute()
    place = target if target.exists() else _aside(target)
    if not place.is_dir():
        raise BundleError(f"expected a saved model in the folder {target}, there is none: check the path")
    manifest = read_manifest(place)
    try:
        weights = tensors_of(_sealed(place, WEIGHTS, manifest))
        _sealed(place, VOCABULARY, manifest)
        vocabulary = Vocabulary.read(place / VOCABULARY)
    except (SafetensorError, OSError, RecsysError) as error:
        raise BundleError(f"cannot read the saved model in {place}: {error}") from error
    return Bundle(
        model=manifest.model,
        parameters=manifest.parameters,
        weights=weights,
        vocabulary=vocabulary,
        fingerprint=manifest.fingerprint,
        metrics=manifest.metrics,
        metadata=manifest.metadata,
    )


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read what a saved model says of itself, and check that the folder holds its files and no others.

    Raises:
        BundleError: if the manifest is missing, damaged or newer than this library, or the files are not
            those it lists.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = parse_manifest(path.read_bytes(), path)
        found = {entry.name for entry in Path(folder).iterdir()}
    except OSError as error:
        raise BundleError(f"expected a readable {path}: {error}; the folder is not a saved model") from error
    expected = {MANIFEST, WEIGHTS, VOCABULARY}
    for missing in sorted(expected - found) + sorted(expected - {MANIFEST} - set(manifest.files)):
        raise BundleError(
            f"{Path(folder) / missing} is missing: copy the whole folder again or save the model anew"
        )
    for foreign in sorted(found - expected):
        raise BundleError(
            f"{Path(folder) / foreign} is not part of a saved model: keep other files elsewhere"
        )
    return manifest


def _sealed(folder: Path, name: str, manifest: Manifest) -> bytes:
    """The bytes of a file, equal to those that were written."""
    data = (folder / name).read_bytes()
    seal = manifest.files[name]
    if len(data) != seal.size:
        raise BundleError(
            f"{folder / name} is damaged: expected {seal.size} bytes, got {len(data)}; copy it again"
        )
    if hashlib.sha256(data).hexdigest() != seal.sha256:
        raise BundleError(
            f"{folder / name} is damaged: its SHA-256 is not the manifest's; copy it again or save anew"
        )
    return data


def _fill(folder: Path, bundle: Bundle) -> None:
    """Write and sync the three files."""
    weights = {name: np.ascontiguousarray(bundle.weights[name]) for name in sorted(bundle.weights)}
    (folder / WEIGHTS).write_bytes(bytes_of(weights))
    bundle.vocabulary.write(folder / VOCABULARY)
    manifest = Manifest(
        format=FORMAT,
        model=bundle.model,
        parameters=bundle.parameters,
        metrics=bundle.metrics,
        metadata=bundle.metadata,
        fingerprint=bundle.fingerprint,
        libraries=_libraries(),
        files={name: _seal(folder / name) for name in (VOCABULARY, WEIGHTS)},
    )
    (folder / MANIFEST).write_bytes(render_manifest(manifest))
    folder.chmod(0o755)
    for path in (folder / WEIGHTS, folder / VOCABULARY, folder / MANIFEST, folder):
        sync(path)


def _swap(fresh: Path, target: Path) -> None:
    """Put the fresh folder in the target's place; the old one waits under a name that readers know."""
    aside = _aside(target)
    if target.exists():
        target.rename(aside)
    fresh.rename(target)
    sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _recover(target: Path) -> None:
    """Finish what a killed writer began: its old folder goes back if there is no new one, the rest goes."""
    for unfinished in target.parent.glob(f".{glob.escape(target.name)}.*.new"):
        shutil.rmtree(unfinished)
    aside = _aside(target)
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


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _seal(path: Path) -> FileSeal:
    data = path.read_bytes()
    return FileSeal(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
