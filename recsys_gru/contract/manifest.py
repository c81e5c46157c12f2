"""What a saved model says of itself: one canonical JSON object that seals the other files and itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from recsys_gru.errors import BundleError, InputError
from recsys_gru.files import Kind, require_kind, strict_json

FORMAT = 2
"""Version of the folder's layout that is written where all of a model lies in it."""
WITHOUT_CARD, WITH_CHANGES = 1, 3
"""The layout before there were model cards; and that of a model which is told by its changes to an older
one. A reader refuses newer ones."""
MANIFEST = "manifest.json"
LONGEST = 64 << 20
"""Bytes of the longest manifest."""
CONTENT: Kind = {
    "format": int,
    "model": str,
    "parameters": {str: object},
    "metrics": {str: float},
    "metadata": {str: object},
    "fingerprint": str,
    "libraries": {str: str},
    "files": {str: {"size": int, "sha256": str}},
}
SCALARS = (str, int, float, type(None))


@final
@dataclass(frozen=True)
class FileSeal:
    """Size in bytes and SHA-256 (64 hexadecimal digits) of one file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes | bytearray) -> "FileSeal":
        """The seal of these bytes."""
        return cls(size=len(data), sha256=hashlib.sha256(data).hexdigest())


@final
@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json; ``files`` seals every other file of the folder by its name."""

    format: int
    model: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    metadata: Mapping[str, str]
    fingerprint: str
    libraries: Mapping[str, str]
    files: Mapping[str, FileSeal]


def render_manifest(manifest: Manifest) -> bytes:
    """The bytes of manifest.json: canonical JSON whose ``digest`` is the SHA-256 of the same object without
    it.

    Raises:
        BundleError: if a parameter, figure or note cannot be told in JSON (NaN and infinity cannot).
    """
    try:
        content = json.loads(canonical(asdict(manifest)))
        data = canonical({**content, "digest": digest_of(content)})
        _require_content(strict_json(data))
        if len(data) > LONGEST:
            raise InputError(f"they make {len(data):,} bytes, the most is {LONGEST:,}")
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(
            f"expected parameters, metrics and metadata of numbers, texts, lists and nothing else: {error}"
        ) from error
    return data


def parse_manifest(data: bytes | bytearray, path: Path) -> Manifest:
    """The manifest in these bytes; ``path`` is for messages only.

    Raises:
        BundleError: if a byte is not as it was written, a value is not what it must be, or the format is
            newer than this library.
    """
    try:
        content = require_kind(strict_json(data), {str: object})
        digest = content.pop("digest")
        whole = digest == digest_of(content)
        # the same object can be spelt in other bytes (1e5, 1E5): only the canonical spelling was ever written
        whole = whole and data == canonical({**content, "digest": digest})
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(
            f"{path} is damaged or not a model's manifest ({type(error).__name__}: {error})"
        ) from error
    if not whole:
        raise BundleError(
            f"{path} is damaged: its digest does not fit its content; copy it again or save anew"
        )
    version = content.get("format")
    if type(version) is int and version > WITH_CHANGES:
        raise BundleError(
            f"{path} has format {version}, this library reads up to {WITH_CHANGES}: update recsys-gru"
        )
    try:
        _require_content({**content, "digest": digest})
    except InputError as error:
        raise BundleError(f"{path} is not the manifest of a model: {error}") from error
    files = {name: FileSeal(**seal) for name, seal in content.pop("files").items()}
    metadata = {name: str(note) for name, note in content.pop("metadata").items()}
    return Manifest(files=files, metadata=metadata, **content)


def digest_of(content: object) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(content)).hexdigest()


def canonical(content: object) -> bytes:
    """JSON with sorted keys, without spaces, in ASCII."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def _require_content(content: object) -> None:
    """Check that every key is there and every value what it must be."""
    told: dict[str, Any] = require_kind(content, {str: object})
    require_kind({name: value for name, value in told.items() if name != "digest"}, CONTENT)
    if told["format"] not in (WITHOUT_CARD, FORMAT, WITH_CHANGES):
        raise InputError(f"expected format {WITHOUT_CARD} to {WITH_CHANGES}, got {told['format']}")
    for name, note in told["metadata"].items():
        if not isinstance(note, SCALARS):
            raise InputError(f"expected metadata as texts, got {type(note).__name__} for {name!r}")
