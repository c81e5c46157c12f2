"""The vocabulary: the frozen map between the caller's item ids and item numbers 0..N-1."""

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import ITEM
from recsys_gru.clicks.ids import LARGEST, as_whole
from recsys_gru.errors import ClickLogError, InputError, SchemaError
from recsys_gru.files import read_file

SUPPORT = "support"
MOST_ITEMS = 2**31 - 1
MOST_ITEMS_A_BYTE = 64
"""Ids that are all different do not fit into fewer bytes."""
MOST_EVENTS = 2**62
_WIDE = (pl.UInt64, pl.Int128, pl.UInt128)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The items of the training part; number 0..N-1 is the place in ``ids``.

    Attributes:
        ids: the caller's item ids, whole numbers or text, (N,).
        support: training events of each item, (N,) int64.

    >>> vocabulary = Vocabulary(pl.Series(["a", "b"]), np.array([3, 1]))
    >>> vocabulary.numbers(pl.Series(["b", "z"])), vocabulary.number("a"), vocabulary.take([1]).to_list()
    (array([ 1, -1], dtype=int32), 0, ['b'])
    """

    ids: pl.Series
    support: NDArray[np.int64]

    def __post_init__(self) -> None:
        support = np.asarray(self.support, dtype=np.int64)
        object.__setattr__(self, "ids", as_ids(self.ids).alias(ITEM))
        object.__setattr__(self, "support", support)
        if self.ids.null_count() or self.ids.n_unique() != len(self.ids):
            raise ClickLogError("expected item ids that are all different and not null in a vocabulary")
        if support.shape != (len(self.ids),):
            raise ClickLogError(
                f"expected one support per item ({len(self.ids)}); got an array of shape {support.shape}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.ids.equals(other.ids) and np.array_equal(self.support, other.support)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def _number_of(self) -> dict[int | str, int]:
        return {item: number for number, item in enumerate(self.ids.to_list())}

    @cached_property
    def has_whole_texts(self) -> bool:
        """Whether some ids are whole numbers kept as text, so that a number may stand for one of them."""
        return any(isinstance(item, str) and item == _plain(item) for item in self._number_of)

    @cached_property
    def has_unclicked(self) -> bool:
        """Whether some items have no training event: only facts are known of them."""
        return bool((self.support == 0).any())

    def number(self, item: int | str) -> int:
        """The number of one item, -1 where it is unknown."""
        return self._number_of.get(item, -1)

    def numbers(self, ids: pl.Series) -> NDArray[np.int32]:
        """The numbers of many ids, -1 where an id is unknown; (n,) int32.

        Raises:
            SchemaError: whole numbers were asked of a vocabulary of text, or the other way round.
        """
        if len(ids) and ids.dtype != pl.Null:
            ids = self._comparable(ids)
            if ids.dtype != self.ids.dtype and len(self):
                raise SchemaError(
                    f"the vocabulary holds item ids of type {self.ids.dtype}; got {ids.dtype}: "
                    f"{ids.head(5).to_list()}. What to do: cast the column item_id"
                )
        table = pl.DataFrame({ITEM: self.ids, "number": np.arange(len(self), dtype=np.int32)})
        found = (
            ids.cast(self.ids.dtype)
            .alias(ITEM)
            .to_frame()
            .join(table, on=ITEM, how="left", maintain_order="left")
        )
        return found["number"].fill_null(-1).to_numpy()

    def found(self, ids: pl.Series) -> NDArray[np.int32]:
        """The numbers of many ids, as ``numbers``, whatever way they are written: ``12`` and ``"12"`` are one
        id; one that cannot be of the vocabulary's type is unknown.

        Raises:
            SchemaError: no id can be of that type.
        """
        if not len(self) or ids.dtype == self.ids.dtype or not len(ids):
            return self.numbers(ids)
        if self.ids.dtype == pl.String:
            return self.numbers(ids.cast(pl.String) if ids.dtype.is_integer() else ids)
        if ids.dtype != pl.String:
            return self.numbers(ids)
        whole = pl.select(as_whole(pl.lit(ids))).to_series()
        return self.numbers(whole if whole.count() else ids)

    def _comparable(self, ids: pl.Series) -> pl.Series:
        """Ids as they may be found; those of more than 63 bits as what the vocabulary holds."""
        if ids.dtype not in _WIDE:
            return as_ids(ids)
        return ids.cast(self.ids.dtype, strict=False) if len(self) else as_ids(ids)

    def take(self, numbers: "NDArray[np.integer] | list[int]") -> pl.Series:
        """The ids of many numbers."""
        chosen = np.asarray(numbers, dtype=np.int64)
        if self.ids.dtype == pl.Int64:
            return pl.Series(ITEM, self.ids.to_numpy()[chosen])
        return self.ids[chosen]  # not gather, a query of .2 ms

    def to_bytes(self) -> bytes:
        """A Parquet file with the columns item_id and support."""
        file = BytesIO()
        pl.DataFrame({ITEM: self.ids, SUPPORT: self.support}).write_parquet(file)
        return file.getvalue()

    def write(self, path: str | Path) -> None:
        """Write a Parquet file with the columns item_id and support."""
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def read(cls, path: str | Path) -> "Vocabulary":
        """Read what ``write`` wrote, from the file of exactly this name.

        Raises:
            SchemaError: the file is no vocabulary.
            OSError: it cannot be read.
        """
        return cls.of_bytes(read_file(Path(path)), Path(path))

    @classmethod
    def of_bytes(cls, data: bytes | bytearray, path: Path) -> "Vocabulary":
        """Read the bytes of a Parquet file; ``path`` is for messages only.

        Raises:
            SchemaError: they are no vocabulary.
        """
        try:
            return cls(*_columns_of(bytes(data)))
        except (
            OSError,
            OverflowError,
            InputError,
            pl.exceptions.PolarsError,
            pl.exceptions.PanicException,
        ) as error:
            raise SchemaError(f"expected a vocabulary of {ITEM} and {SUPPORT} in {path}: {error}") from error


def _columns_of(data: bytes) -> tuple[pl.Series, NDArray[np.int64]]:
    """The checked columns of a vocabulary's file."""
    schema = pl.read_parquet_schema(BytesIO(data))
    if (
        list(schema) != [ITEM, SUPPORT]
        or schema[ITEM] not in (pl.Int64, pl.String)
        or schema[SUPPORT] != pl.Int64
    ):
        found = ", ".join(f"{name} ({kind})" for name, kind in schema.items())
        raise SchemaError(f"found {found}")
    rows = pl.scan_parquet(BytesIO(data)).select(pl.len()).collect().item()
    if rows > min(MOST_ITEMS, MOST_ITEMS_A_BYTE * len(data)):
        raise SchemaError(f"found {rows:,} rows in {len(data):,} bytes")
    table = pl.read_parquet(BytesIO(data))
    support = table[SUPPORT]
    if support.null_count() or table.height != rows:
        raise SchemaError(
            f"found {table.height:,} rows, support without a number in {support.null_count():,}"
        )
    counts: NDArray[np.int64] = support.to_numpy()
    if counts.min(initial=0) < 0 or counts.sum(dtype=np.float64) >= MOST_EVENTS:
        raise SchemaError("found support below 0, or more events than can be counted")
    return table[ITEM], counts


def _plain(item: str) -> str | None:
    """The one way a whole number is written, None for what is none."""
    return str(int(item)) if item.removeprefix("-").isdecimal() and item.isascii() else None


def as_ids(ids: pl.Series) -> pl.Series:
    """Ids as Int64 or String; whole numbers as text where one is above the largest of 64 bits.

    Raises:
        SchemaError: they are something else.
    """
    if ids.dtype.is_integer():
        large = ids.dtype in _WIDE and len(ids) and (ids > LARGEST).any()
        return ids.cast(pl.String if large else pl.Int64)
    if ids.dtype == pl.String or isinstance(ids.dtype, (pl.Categorical, pl.Enum)):
        return ids.cast(pl.String)
    if not len(ids):
        return ids.cast(pl.Int64)
    raise SchemaError(f"expected ids as whole numbers or text; got {ids.dtype}: {ids.head(5).to_list()}")
