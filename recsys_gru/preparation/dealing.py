"""The rows of a log dealt out to buckets on disk, so that each can be worked on in memory."""

import hashlib
import json
import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import polars as pl

from recsys_gru.clicks.frames import SESSION, USER
from recsys_gru.clicks.scan import collect, whole_files
from recsys_gru.files import Place, inside, is_whole, whole, wholes

_BUCKET, _ROW = "bucket", "_row"
_ODD = 0x9E3779B97F4A7C15
"""Spreads row numbers over 64 bits."""


def scatter(frame: pl.LazyFrame, n_buckets: int, folder: Path, first_row: int = 0) -> None:
    """Deal the rows out to buckets by a hash of their owner, each a folder of its own, in one streaming
    pass. ``dealt`` gives the rows of one, in the order that they came in.
    """
    bucket = pl.col(owner_of(frame)).hash(0) % n_buckets
    target = pl.PartitionBy(folder, key={_BUCKET: bucket}, include_key=False)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_files():
        frame.with_row_index(_ROW, first_row).sink_ipc(target, mkdir=True, engine="streaming")


def dealt(parts: Place) -> list[pl.LazyFrame]:
    """The rows of each bucket in the order of the log, from the folders that parts of it were dealt into."""
    pieces: dict[int, list[Place]] = {}
    for piece in _pieces(parts):
        pieces.setdefault(int(piece.parent.name.partition("=")[2]), []).append(piece)
    return [_scanned(pieces[number]).sort(_ROW).drop(_ROW) for number in sorted(pieces)]


def scan_dealt(parts: Place) -> pl.LazyFrame:
    """The rows of all buckets, in no promised order."""
    return _scanned(_pieces(parts))


def _pieces(parts: Place) -> list[Place]:
    return [piece for part in wholes(parts) for piece in inside(part)]


def _scanned(pieces: list[Place]) -> pl.LazyFrame:
    return pl.scan_ipc([str(piece) for piece in pieces], glob=False)


def owner_of(frame: pl.LazyFrame) -> str:
    """The column that says whose click it is and never ends up in two buckets."""
    return SESSION if SESSION in frame.collect_schema().names() else USER


@contextmanager
def in_parts(frame: pl.LazyFrame, rows_per_part: int) -> Iterator[list[pl.LazyFrame]]:
    """The log as parts that fit into memory one at a time, all rows of an owner in one; files of parts are
    gone at the end.
    """
    rows = int(collect(frame.select(pl.len())).item())
    if rows <= rows_per_part:
        yield [collect(frame).lazy()]
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder) / "parts"
        scatter(frame, math.ceil(rows / rows_per_part), parts / "all")
        yield dealt(parts)


@final
@dataclass(frozen=True)
class Dealer:
    """Deals out stretches of the log: a first row and how many.

    Attributes:
        clicks: the log.
        n_buckets: how many there are.
        folder: where each stretch gets a folder.
    """

    clicks: pl.LazyFrame
    n_buckets: int
    folder: Place

    def deal(self, stretch: tuple[int, int]) -> None:
        """Write the rows of a stretch into its buckets, unless they lie there."""
        first, rows = stretch
        place = self.folder / f"{first}-{rows}"
        if not is_whole(place):
            with whole(place) as aside:
                scatter(self.clicks.slice(first, rows), self.n_buckets, aside, first)


def column_sums(clicks: pl.LazyFrame, stretch: tuple[int, int]) -> list[int]:
    """A sum for each column of a stretch of the log, over its values and their place."""
    first, rows = stretch
    table = clicks.slice(first, rows).with_row_index(_ROW, first)
    place = pl.col(_ROW).cast(pl.UInt64) * _ODD
    names = clicks.collect_schema().names()
    hashed = [(pl.col(name).hash(0) ^ place).hash(0).sum().alias(name) for name in names]
    return [int(total) for total in collect(table.select(hashed)).row(0)]


def stretches(rows: int, parts: int) -> list[tuple[int, int]]:
    """So many stretches of about equal length.

    >>> stretches(10, 3)
    [(0, 4), (4, 4), (8, 2)]
    """
    step = math.ceil(rows / parts) or 1
    return [(first, min(step, rows - first)) for first in range(0, rows, step)]


def key_of(sums: Iterable[list[int]], *facts: object) -> str:
    """One text for the rows of a log, whatever its stretches were, and for what is done with them."""
    totals = [sum(column) % 2**64 for column in zip(*sums, strict=True)]
    told = [*map(str, facts), pl.__version__, totals]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
