"""One column of facts: what is learned of it, and its values as labels and numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.errors import InputError
from recsys_gru.facts.kinds import LABEL, LABELS, NUMBER, WORDS
from recsys_gru.facts.words import keys_of, words_of

BANDS = 10
"""Bands of a number, with about the same number of items in each: a projection alone gives a straight line,
and what follows what may lie in the middle."""
FARTHEST = 5.0
"""Standard deviations from the mean; a number further off counts as one so far."""
LARGEST = 1e6
"""The same of a vector's numbers, where vectors have length 1: none becomes infinite."""
FEWEST_BUCKETS, MOST_BUCKETS = 64, 1 << 16
_BLOCK = 1 << 15


@dataclass(frozen=True)
class Column:
    """What a column became.

    Attributes:
        labels: rows of labels, with the bands of a number and the row for a missing value.
        numbers: numbers, 0, 1 or the length of a vector.
        edges: edges between the bands.
        buckets: a power of two, in which the words of a text are counted together; 0 where there are none.
        missing: 1 where the last label says that the value is missing, else 0.
        names: 1 where it says what people call the items, else 0.
    """

    name: str
    kind: str
    labels: int = 0
    numbers: int = 0
    edges: int = 0
    buckets: int = 0
    missing: int = 0
    names: int = 0


class Learned(NamedTuple):
    """A column with the arrays that its values are coded by."""

    column: Column
    keys: NDArray[np.int64]
    edges: NDArray[np.float64]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]


class Labelled(NamedTuple):
    """Labels of rows, in the order of rows and labels, and how many of the values have no label."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int32]
    weights: NDArray[np.float32]
    unknown: int


def learned(values: pl.Series, kind: str) -> Learned:
    """What a column of this kind becomes, from its values.

    Raises:
        InputError: its numbers are too large to be squared.
    """
    nothing = np.zeros(0)
    if kind in (LABEL, LABELS, WORDS):
        texts = _texts(values, kind)
        buckets = _buckets(texts["text"].n_unique()) if kind == WORDS else 0
        keys = np.unique(_keys(texts["text"].unique(), buckets))
        column = Column(values.name, kind, labels=len(keys), buckets=buckets)
        return Learned(column, keys, nothing, nothing, nothing)
    missing = int(values.null_count() > 0)
    with np.errstate(over="ignore", invalid="ignore"):
        if kind == NUMBER:
            told = values.drop_nulls().to_numpy()
            edges, means = _edges(told), np.array([told.mean() if len(told) else 0.0])
            scales = np.array([(told.std() if len(told) else 0.0) or 1.0])
        else:
            edges, (means, scales) = nothing, _moments(values)
    if not np.isfinite([*means, *scales]).all():
        raise InputError(f"the numbers of the column {values.name!r} are too large. What to do: scale them")
    bands = len(edges) + 1 if len(edges) else 0
    column = Column(values.name, kind, bands + missing, len(means), len(edges), 0, missing)
    return Learned(column, np.arange(bands + missing), edges, means, scales)


def labels_of(values: pl.Series, known: Learned) -> Labelled:
    """The labels of each row of a column."""
    column = known.column
    if column.kind in (LABEL, LABELS, WORDS):
        texts = _texts(values, column.kind)
        different = texts["text"].unique()
        table = pl.DataFrame({"text": different, "key": _keys(different, column.buckets)})
        pairs = texts.join(table, on="text").select("row", "key").unique().sort("row", "key")
        rows, keys = pairs["row"].to_numpy().astype(np.int64), pairs["key"].to_numpy()
        places = np.searchsorted(known.keys, keys)
        found = known.keys.take(places, mode="clip") == keys if len(known.keys) else np.zeros(len(keys), bool)
        rows, labels = rows[found], places[found].astype(np.int32)
        share = 1 / np.sqrt(np.bincount(rows, minlength=1), dtype=np.float32)[rows] if len(rows) else rows
        return Labelled(rows, labels, share.astype(np.float32), int((~found).sum()))
    is_null = values.is_null().to_numpy()
    labels = np.full(len(values), -1, dtype=np.int32)
    if column.edges:
        told = values.fill_null(0.0).to_numpy()
        labels = np.searchsorted(known.edges, told, side="right").astype(np.int32)
    labels[is_null] = column.labels - 1 if column.missing else -1
    rows = np.flatnonzero(labels >= 0)
    return Labelled(rows, labels[rows], np.ones(len(rows), dtype=np.float32), 0)


def numbers_in(values: pl.Series, known: Learned) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Blocks of rows of a number or vector with its numbers, (B,) and (B, V); missing ones are left out."""
    for rows, block in _blocks(values):
        scaled = (block - known.means) / known.scales
        most = FARTHEST if known.column.kind == NUMBER else LARGEST
        yield rows, scaled.clip(-most, most).astype(np.float32)


def _texts(values: pl.Series, kind: str) -> pl.DataFrame:
    """The texts of each row: row, text."""
    if kind == WORDS:
        return words_of(values)
    texts = pl.DataFrame({"text": values}).with_row_index("row")
    if kind == LABELS:
        texts = texts.explode("text").with_columns(pl.col("text").str.normalize("NFC").str.strip_chars())
    return texts.filter(pl.col("text").is_not_null() & (pl.col("text") != ""))


def _keys(texts: pl.Series, buckets: int) -> NDArray[np.int64]:
    keys = keys_of(texts)
    return keys & (buckets - 1) if buckets else keys


def _buckets(n_words: int) -> int:
    """Twice as many as words, so that few share one."""
    return min(max(FEWEST_BUCKETS, 1 << (2 * n_words).bit_length()), MOST_BUCKETS)


def _edges(told: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges between bands: between all values where they are few, else so that bands are even."""
    different = np.unique(told)
    if len(different) <= BANDS:
        edges: NDArray[np.float64] = (different[1:] + different[:-1]) / 2
        return edges
    return np.unique(np.quantile(told, np.arange(1, BANDS) / BANDS))


def _blocks(values: pl.Series) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Rows whose value is there and their numbers, (B,) and (B, V), a part at a time."""
    for first in range(0, len(values), _BLOCK):
        part = values.slice(first, _BLOCK)
        there = part.is_not_null().to_numpy()
        rows = first + np.flatnonzero(there)
        flat = part.drop_nulls() if part.null_count() else part
        if isinstance(part.dtype, pl.List):
            flat = flat.explode()
        if len(rows):
            yield rows, flat.to_numpy().astype(np.float64).reshape(len(rows), -1)


def _moments(values: pl.Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean vector, and for each of its numbers the scale that gives vectors a mean square length of 1."""
    lengths = values.list.len()
    width, count = int(lengths.max() or 0), len(values) - values.null_count()  # type: ignore[arg-type]
    means, spread = np.zeros(width), 0.0
    for _, block in _blocks(values):
        means += block.sum(axis=0) / count
    for _, block in _blocks(values):
        spread += float(np.square(block - means).sum()) / count
    return means, np.full(width, np.sqrt(spread) or 1.0)
