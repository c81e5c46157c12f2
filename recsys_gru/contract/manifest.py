"""What a saved model says of itself: one canonical JSON object that seals the other files and itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from recsys_gru.errors import BundleError

FORMAT = 1
"""Version of the folder's layout; a reader refuses newer ones."""
MANIFEST = "manifest.json"


@final
@dataclass(frozen=True)
class FileSeal:
    """Size in bytes and SHA-256 (64 hexadecimal digits) of one file."""

    size: int
    sha256: str


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
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"expected parameters, metrics and metadata of numbers, texts, lists and nothing else: {error}"
        ) from error
    return canonical({**content, "digest": digest_of(content)})


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """The manifest in these bytes; ``path`` is for messages only.

    Raises:
        BundleError: if a byte is not as it was written, or the format is newer than this library.
    """
    try:
        content = json.loads(data)
        digest = content.pop("digest")
        newer = content["format"] > FORMAT
        whole = digest == digest_of(content)
        # the same object can be spelt in other bytes (1e5, 1E5): only the canonical spelling was ever written
        whole = whole and data == canonical({**content, "digest": digest})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BundleError(
            f"{path} is damaged or not a model's manifest ({type(error).__name__}: {error})"
        ) from error
    if not whole:
        raise BundleError(
            f"{path} is damaged: its digest does not fit its content; copy it again or save anew"
        )
    if newer:
        raise BundleError(
            f"{path} has format {content['format']}, this library reads up to {FORMAT}: update recsys-gru"
        )
    try:
        files = {name: FileSeal(**seal) for name, seal in content.pop("files").items()}
        return Manifest(files=files, **content)
    except (TypeError, KeyError, AttributeError) as error:
        raise BundleError(f"{path} is not the manifest of a model: {error}") from error


def digest_of(content: object) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(content)).hexdigest()


def canonical(content: object) -> bytes:
    """JSON with sorted keys, without spaces, in ASCII."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()
