"""Which files a click log is: one, many, a folder or a glob, on this machine or in an object store."""

import fnmatch
import glob
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from recsys_gru.errors import ClickLogError
from recsys_gru.files import Place, Url, objects_in, place_at

log = logging.getLogger("recsys_gru")

KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}
PREPARED = "prepared.json"
"""What a folder that ``prepare`` wrote holds, beside train/ and test/."""
_COMPRESSED = (".gz", ".zst", ".zstd")


def kind_of(path: Place) -> str | None:
    """``csv``, ``parquet`` or ``ndjson`` by the file's name, None where the name says nothing."""
    suffixes = [part.lower() for part in path.suffixes if part.lower() not in _COMPRESSED]
    return KINDS.get(suffixes[-1]) if suffixes else None


def files_of(source: str | Path | Iterable[str | Path], pattern: str = "*") -> list[Place]:
    """The files that a path, folder, glob or list of them stands for, sorted, empty files left out with a
    warning.

    Raises:
        ClickLogError: nothing is there.
    """
    given = [source] if isinstance(source, (str, Path)) else list(source)
    sizes = {path: size for one in given for path, size in _expand(place_at(one), pattern).items()}
    full = sorted(path for path, size in sizes.items() if size > 0)
    if len(full) < len(sizes):
        empty = [str(path) for path in sorted(sizes.keys() - set(full))]
        log.warning("%d empty file(s) hold no clicks: %s", len(empty), ", ".join(empty[:5]))
    if not full:
        raise ClickLogError(
            f"expected files of rows at {', '.join(map(str, given)) or 'nowhere'}; found none with rows. "
            f"Known names end in {', '.join(KINDS)}, also with .gz or .zst"
        )
    return full


def _expand(path: Place, pattern: str) -> dict[Place, int]:
    """The files with their sizes."""
    if isinstance(path, Url):
        return _objects(path, pattern)
    return {file: file.stat().st_size for file in _files(path, pattern)}


def _objects(url: Url, pattern: str) -> dict[Place, int]:
    """What a URL stands for in its store: an object, a folder of such, or a glob."""
    plain = next(one for one in (url, *url.parents) if not glob.has_magic(str(one)))
    found = objects_in(plain)
    if plain != url:
        return {file: size for file, size in found.items() if _matches(file.parts, url.parts)}
    if url / PREPARED in found:
        raise _no_raw_log(url)
    return {
        file: size
        for file, size in found.items()
        if file == url or (_is_log(file) and fnmatch.fnmatchcase(file.name, pattern))
    }


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a path is one that a glob stands for."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_matches(parts[first:], patterns[1:]) for first in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def _is_log(file: Place) -> bool:
    return bool(kind_of(file)) and not file.name.startswith((".", "_"))


def _no_raw_log(path: Place) -> ClickLogError:
    return ClickLogError(
        f"{path} is a prepared log, no raw one. What to do: give it to fit, evaluate or compare, or to "
        "read_prepared"
    )


def _files(path: Path, pattern: str) -> list[Path]:
    if path.is_dir():
        if (path / PREPARED).is_file():
            raise _no_raw_log(path)
        return [file for file in path.rglob(pattern) if file.is_file() and _is_log(file)]
    if path.exists() and not path.is_file():
        raise ClickLogError(
            f"{path} is a pipe or device, which ends after one reading, and a log is read more than once. "
            "What to do: write it into a file first"
        )
    if path.exists():
        return [path]
    return [Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file()]  # noqa: PTH207 - absolute patterns
