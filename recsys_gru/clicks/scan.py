"""Opening click logs: CSV, TSV, NDJSON and Parquet, plain or compressed, one file, many, a folder or a
glob.
"""

import glob
import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import polars as pl

from recsys_gru.clicks.found import KINDS, files_of, kind_of
from recsys_gru.clicks.frames import Frame, is_frame, lazy
from recsys_gru.errors import ClickLogError, RecsysError, SchemaError
from recsys_gru.files import Place, first_bytes

Source: TypeAlias = "str | Path | Sequence[str | Path] | Frame"

_SEPARATORS = ",\t;|"
_IS_WHOLE = "Is the file whole and of the format its name says?"
_LOOK_FOR = "Look for a truncated file, a wrong separator, or a line with more fields than the first"
_NO_UTF_8 = "What to do: save it as UTF-8 (iconv -f LATIN1 -t UTF-8, if it is Western European text)"
_NO_TEXT = {b"PK\x03\x04": "a zip archive", b"PAR1": "a Parquet file", b"\xd0\xcf\x11\xe0": "an Excel file"}
"""How files begin whose names promise text."""


def scan(source: Source) -> tuple[pl.LazyFrame, bool]:
    """The raw columns of a log, and whether they are untyped text (CSV) whose types must be found.

    Raises:
        SchemaError: files of different columns or types.
        ClickLogError: a file cannot be opened.
    """
    if is_frame(source) or not is_paths(source):
        return lazy(source), False  # type: ignore[arg-type]
    files = files_of(source)  # type: ignore[arg-type]
    kinds = {file: kind_of(file) for file in files}
    unknown = [str(file) for file, kind in kinds.items() if kind is None]
    if unknown:
        raise ClickLogError(
            f"cannot tell the format of {', '.join(unknown[:5])}; expected names in {', '.join(KINDS)}"
        )
    if len(set(kinds.values())) > 1:
        raise SchemaError(
            f"expected files of one format; got {', '.join(sorted(map(str, set(kinds.values()))))} together"
        )
    kind = kinds[files[0]]
    frames = {file: _open(file, str(kind)) for file in files}
    return _together(frames), kind == "csv"


def is_paths(source: object) -> bool:
    """Whether the source is a path or a list of paths.

    Raises:
        SchemaError: it is a list of something else.
    """
    if isinstance(source, (list, tuple)) and not all(isinstance(one, (str, Path)) for one in source):
        raise SchemaError(
            "expected a list of paths; got one of other things. What to do: for rows in a list, make a frame "
            "of them, or a dict of columns"
        )
    return isinstance(source, (str, Path, list, tuple))


def exactly(file: Place) -> str:
    """A path for a reader that takes names for patterns: brackets and stars stand for themselves."""
    return glob.escape(str(file))


def _open(file: Place, kind: str) -> pl.LazyFrame:
    with opened(file):
        if kind == "csv":
            frame = pl.scan_csv(str(file), infer_schema=False, glob=False, separator=separator_of(file))
        elif kind == "ndjson":
            frame = pl.scan_ndjson(exactly(file), infer_schema_length=None)
        else:
            frame = pl.scan_parquet(str(file), glob=False)
        frame.collect_schema()
    return frame


@contextmanager
def opened(file: Place) -> Iterator[None]:
    """Turn what goes wrong at opening a file into an error that names it."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ClickLogError(
            f"cannot read {file}: {error}. {_NO_UTF_8 if 'utf-8' in str(error).lower() else _IS_WHOLE}"
        ) from error


def separator_of(file: Place) -> str:
    """The character that occurs most in the first line, of comma, tab, semicolon and bar."""
    start = _start(file)
    if (other := next((said for mark, said in _NO_TEXT.items() if start.startswith(mark)), None)) is not None:
        raise ClickLogError(
            f"cannot read {file}: it is not text, as its name says, but {other}. What to do: "
            "unpack it, write it as CSV, or give it the ending of what it is"
        )
    if (encoding := _wide_encoding(start)) is not None:
        raise ClickLogError(
            f"cannot read {file}: it is text in {encoding}, expected UTF-8. What to do: save it as UTF-8 "
            f"(iconv -f {encoding} -t UTF-8)"
        )
    first = pl.scan_csv(
        str(file),
        has_header=False,
        infer_schema=False,
        separator="\x1f",
        quote_char=None,
        n_rows=1,
        glob=False,
    )
    header = str(first.collect().item())
    if "\0" in header:
        raise ClickLogError(f"cannot read {file}: it is not text. Is the format the one its name says?")
    return max(_SEPARATORS, key=header.count)


def _start(file: Place) -> bytes:
    """The first bytes of a file, none where it cannot be read: the reader will say what is wrong."""
    try:
        content = file.open("rb") if isinstance(file, Path) else io.BytesIO(first_bytes(file, 1 << 16))
        with content as plain, gzip.open(plain) if file.suffix.lower() == ".gz" else plain as opened_file:
            return opened_file.read(64)
    except (OSError, EOFError):
        return b""


def _wide_encoding(start: bytes) -> str | None:
    """UTF-16 or UTF-32 by the first bytes of a file, None where it is neither."""
    marks = {"UTF-32": (b"\xff\xfe\0\0", b"\0\0\xfe\xff"), "UTF-16": (b"\xff\xfe", b"\xfe\xff")}
    for name, beginnings in marks.items():
        if start.startswith(beginnings):
            return name
    even, odd = start[::2], start[1::2]
    letters = len(start) > 3 and (not any(even) or not any(odd))  # every other byte is zero
    return "UTF-16" if letters and any(start) else None


def damaged(source: Source) -> str:
    """Which files of a log cannot be read to their end, in words."""
    if is_frame(source) or not is_paths(source):
        return ""
    broken = []
    for file in files_of(source):  # type: ignore[arg-type]
        try:
            _open(file, str(kind_of(file))).select(pl.all().null_count()).collect(engine="streaming")
        except (OSError, RecsysError, pl.exceptions.PolarsError):
            broken.append(str(file))
    return f"; damaged: {', '.join(broken[:5])}" if broken else ""


def _together(frames: dict[Place, pl.LazyFrame]) -> pl.LazyFrame:
    """One frame of many files; whole numbers and texts of different widths agree, other types must be
    equal.
    """
    (first, one), *rest = frames.items()
    expected = _plain(one.collect_schema())
    for file, frame in rest:
        if (found := _plain(frame.collect_schema())) != expected:
            raise SchemaError(
                f"files differ in their columns: {first} has {_list(expected)}; {file} has {_list(found)}"
            )
    return pl.concat([frame.select(list(expected)) for frame in frames.values()], how="vertical_relaxed")


def _plain(schema: pl.Schema) -> dict[str, str]:
    return {name: _family(kind) for name, kind in sorted(schema.items())}


def _family(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "integer"
    return "number" if kind.is_float() else str(kind)


def _list(schema: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in schema.items())


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a plan on the streaming engine.

    Raises:
        ClickLogError: a file is damaged, or a line has more fields than the first.
    """
    with whole_files():
        return frame.collect(engine="streaming")


@contextmanager
def whole_files() -> Iterator[None]:
    """Turn what a file that breaks half-way does to a running plan into an error that says where to look."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ClickLogError(
            f"the log cannot be read to its end: {str(error).splitlines()[0]}. "
            f"{_NO_UTF_8 if 'utf-8' in str(error).lower() else _LOOK_FOR}"
        ) from error
