"""Reading a saved model while others may replace it: the old one or the new one, never a mixture.

A reader opens all files before it reads any, checks the bytes that it has read, and makes the model of
those very bytes. Where the folder changed under it, it begins again.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys_gru.contract.bundle import CHANGES, VOCABULARY, WEIGHTS, Bundle, aside_of
from recsys_gru.contract.card import CARD
from recsys_gru.contract.changes import Arrays, changed, heads_after
from recsys_gru.contract.manifest import (
    LONGEST,
    MANIFEST,
    WITH_CHANGES,
    WITHOUT_CARD,
    FileSeal,
    Manifest,
    parse_manifest,
)
from recsys_gru.errors import BundleError, InputError
from recsys_gru.files import (
    ArrayHead,
    Layout,
    arrays_in,
    arrays_of,
    content_of,
    heads_in,
    opened,
    require_shapes,
    require_values,
)
from recsys_gru.sessions import Vocabulary

FILES = (MANIFEST, VOCABULARY, WEIGHTS)
"""Of every model; a card besides in all but the oldest, and changes in one that is told by them."""
TRIES, LOOKS = 40, 5
"""How often a folder is read again that changes under the reader, and looked for that is not there."""
Found = TypeVar("Found")
LayoutOf = Callable[[Manifest], "Layout | None"]
Opened = Mapping[str, BinaryIO]


def read_bundle(folder: str | os.PathLike[str], layout_of: LayoutOf = lambda _: None) -> Bundle:
    """Read a folder after checking every byte of it.

    Args:
        layout_of: what the arrays of a model with this manifest must be; checked before they are read.

    Raises:
        BundleError: if a file is missing, damaged, foreign, or of a newer format; the message names it.
    """
    return _steady(folder, lambda place, files: _bundle_in(place, files, layout_of))


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read what a saved model says of itself, and check that the folder holds its files and no others.

    Raises:
        BundleError: if the manifest is missing, damaged or newer than this library, or the files are not
            those it lists.
    """
    return _steady(folder, _manifest_in)


@contextmanager
def refused_as_bundle(folder: str | os.PathLike[str], name: str) -> Iterator[None]:
    """Turn whatever a saved model makes its class raise into the one error of ``load``."""
    try:
        yield
    except BundleError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise BundleError(f"{folder} does not fit this version of {name}: {error}; fit it again") from error


def _steady(folder: str | os.PathLike[str], read: Callable[[Path, Opened], Found]) -> Found:
    """What is read of a saved model, again as long as a writer changes the folder under the reader."""
    target = Path(folder).absolute()
    for number in range(TRIES):
        before = _state(target)
        place = next((place for place, mark in before if mark), None)
        try:
            return _looked_into(place, target, read)
        except (OSError, InputError, MemoryError, BundleError) as error:
            failure = error
        if (place is not None or number >= LOOKS) and _state(target) == before:
            break
        time.sleep(min(0.001 * number, 0.02))
    if isinstance(failure, BundleError):
        raise failure
    raise BundleError(f"cannot read the saved model in {target}: {failure or 'out of memory'}") from failure


def _looked_into(place: Path | None, target: Path, read: Callable[[Path, Opened], Found]) -> Found:
    if place is None or not place.is_dir():
        raise BundleError(f"expected a saved model in the folder {target}, there is none: check the path")
    with ExitStack() as stack:
        return read(place, _open_all(place, stack))


def _state(target: Path) -> list[tuple[Path, object]]:
    """Where a model may lie, each with what tells one writing of it from the next, None if nothing is there.

    Raises:
        BundleError: if links lead round in a ring.
    """
    try:
        home = target.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"cannot read the saved model in {target}: {error}") from error
    marks = {
        place: [_mark(place / name) for name in ("", *FILES, CARD, CHANGES)]
        for place in (home, aside_of(home))
    }
    return [(place, found if found[0] else None) for place, found in marks.items()]


def _mark(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _open_all(place: Path, stack: ExitStack) -> dict[str, BinaryIO]:
    """The files of a folder that holds nothing else."""
    found = {entry.name for entry in place.iterdir()}
    if MANIFEST not in found:
        raise BundleError(f"expected a readable {place / MANIFEST}: the folder is not a saved model")
    for missing in sorted(set(FILES) - found):
        raise _missing(place / missing)
    for foreign in sorted(found - {*FILES, CARD, CHANGES}):
        raise BundleError(f"{place / foreign} is not part of a saved model: keep other files elsewhere")
    return {name: stack.enter_context(opened(place / name, follow=False)) for name in sorted(found)}


def _missing(path: Path) -> BundleError:
    return BundleError(f"{path} is missing: copy the whole folder again or save the model anew")


def _manifest_in(place: Path, files: Opened) -> Manifest:
    path = place / MANIFEST
    manifest = parse_manifest(content_of(files[MANIFEST], path, LONGEST), path)
    more = set() if manifest.format == WITHOUT_CARD else {CARD}
    more |= {CHANGES} if manifest.format == WITH_CHANGES else set()
    if strange := sorted(manifest.files.keys() ^ {VOCABULARY, WEIGHTS, *more}):
        raise BundleError(
            f"{path}: expected the seals of {VOCABULARY} and {WEIGHTS}; missing or unknown: {strange[:5]}"
        )
    for missing in sorted(more - files.keys()):
        raise _missing(place / missing)
    for foreign in sorted({CARD, CHANGES} & files.keys() - more):
        raise BundleError(
            f"{place / foreign} is not part of a model of format {manifest.format}: take it out"
        )
    return manifest


def _bundle_in(place: Path, files: Opened, layout_of: LayoutOf) -> Bundle:
    manifest = _manifest_in(place, files)
    layout = layout_of(manifest)
    if CARD in files:
        _sealed(place / CARD, files, manifest)
    path = place / VOCABULARY
    vocabulary = Vocabulary.of_bytes(_sealed(path, files, manifest), path)
    if not len(vocabulary):
        raise BundleError(f"{path} has no items: fit the model again")
    return Bundle(
        model=manifest.model,
        parameters=manifest.parameters,
        weights=_weights_in(place / WEIGHTS, files, manifest, layout, len(vocabulary)),
        vocabulary=vocabulary,
        fingerprint=manifest.fingerprint,
        metrics=manifest.metrics,
        metadata=manifest.metadata,
    )


def _weights_in(
    path: Path, files: Opened, manifest: Manifest, layout: Layout | None, n_items: int
) -> dict[str, NDArray[np.generic]]:
    """The arrays; their table is looked at before anything is read, and again as it was read."""
    _require_size(path, files, manifest)
    digest, seal = hashlib.sha256(), manifest.files[path.name]
    try:
        changes = _changes_in(path.with_name(CHANGES), files, manifest)
        heads = heads_after(heads_in(files[path.name]), changes)
        if layout is not None:
            require_shapes(layout, heads, N=n_items)
        weights = arrays_in(files[path.name], path, digest.update)
        _require_seal(path, FileSeal(seal.size, digest.hexdigest()), manifest)
        heads = heads_after(_heads_of(weights), changes)
        weights = changed(weights, changes)
        if layout is not None:
            require_values(layout, weights, require_shapes(layout, heads, N=n_items))
    except InputError as error:
        raise BundleError(
            f"{path} is damaged or of another version: {error}; copy it again or fit it again"
        ) from error
    return weights


def _heads_of(arrays: Arrays) -> dict[str, ArrayHead]:
    return {name: ArrayHead(values.dtype, values.shape, 0) for name, values in arrays.items()}


def _changes_in(path: Path, files: Opened, manifest: Manifest) -> Arrays:
    """What is another than in the file of weights; nothing where a model is told without that."""
    return arrays_of(_sealed(path, files, manifest))[0] if path.name in files else {}


def _require_size(path: Path, files: Opened, manifest: Manifest) -> None:
    size, expected = os.fstat(files[path.name].fileno()).st_size, manifest.files[path.name].size
    if size != expected:
        raise BundleError(f"{path} is damaged: expected {expected} bytes, got {size}; copy it again")


def _sealed(path: Path, files: Opened, manifest: Manifest) -> bytearray:
    """The bytes of a file, equal to those that were written."""
    _require_size(path, files, manifest)
    data = content_of(files[path.name], path)
    _require_seal(path, FileSeal.of(data), manifest)
    return data


def _require_seal(path: Path, seal: FileSeal, manifest: Manifest) -> None:
    if seal != manifest.files[path.name]:
        raise BundleError(f"{path} is damaged: its SHA-256 is not the manifest's; copy it again or save anew")
