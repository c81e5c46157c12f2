"""The vocabulary: the frozen map between the caller's item ids and item numbers 0..N-1."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from recsys_gru.sessions.names import NAME, as_names, folded, resembling

SUPPORT = "support"
MOST_ITEMS = 2**31 - 1
MOST_ITEMS_A_BYTE = 64
"""Ids that are all different do not fit into fewer bytes."""
MOST_EVENTS = 2**62
FEW = 8
"""Where one id is asked for so many items or more, the items asked for are picked out first."""
_WIDE = (pl.UInt64, pl.Int128, pl.UInt128)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The items of the training part; number 0..N-1 is the place in ``ids``.

    Attributes:
        ids: the caller's item ids, whole numbers or text, (N,).
        support: training events of each item, (N,) int64.
        names: what people call each item, (N,) text, null for one without; None where none has any.

    >>> vocabulary = Vocabulary(pl.Series(["a", "b"]), np.array([3, 1]))
    >>> vocabulary.numbers(pl.Series(["b", "z"])), vocabulary.number("a"), vocabulary.take([1]).to_list()
    (array([ 1, -1], dtype=int32), 0, ['b'])
    """

    ids: pl.Series
    support: NDArray[np.int64]
    names: pl.Series | None = None

    def __post_init__(self) -> None:
        support = np.asarray(self.support, dtype=np.int64)
        object.__setattr__(self, "ids", as_ids(self.ids).alias(ITEM).rechunk())
        object.__setattr__(self, "support", support)
        if self.ids.null_count() or self.ids.n_unique() != len(self.ids):
            raise ClickLogError("expected item ids that are all different and not null in a vocabulary")
        if support.shape != (len(self.ids),):
            raise ClickLogError(
                f"expected one support per item ({len(self.ids)}); got an array of shape {support.shape}"
            )
        if self.names is not None and (len(self.names) != len(self.ids) or self.names.dtype != pl.String):
            raise ClickLogError(
                f"expected one text or null per item ({len(self.ids)}) as names; got {len(self.names)} of "
                f"{self.names.dtype}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.ids.equals(other.ids) and np.array_equal(self.support, other.support)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def _number_of(self) -> Mapping[int | str, int]:
        return {item: number for number, item in enumerate(self.ids.to_list())}

    def going_on(self, older: "Vocabulary") -> "Vocabulary":
        """The same; what was made to look the older one's items up, which are its first, it has in common
        with that one, so that looking up costs what is new.

        >>> older = Vocabulary(pl.Series(["a", "b"]), np.array([3, 1]))
        >>> older.number("b")
        1
        >>> Vocabulary(pl.Series(["a", "b", "c"]), np.array([3, 1, 1])).going_on(older).number("c")
        2
        """
        known = vars(older).get("_number_of")
        if known is not None:
            later, first = known.maps if isinstance(known, ChainMap) else ({}, known)
            more = self.ids[len(older) :].to_list()
            own = {**later, **{item: len(older) + place for place, item in enumerate(more)}}
            vars(self)["_number_of"] = ChainMap(own, first)
        return self

    @cached_property
    def has_whole_texts(self) -> bool:
        """Whether some ids are whole numbers kept as text, so that a number may stand for one of them."""
        return any(isinstance(item, str) and item == _plain(item) for item in self._number_of)

    @cached_property
    def has_unclicked(self) -> bool:
        """Whether some items have no training event, so that only facts are known of them."""
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
        asked = ids.cast(self.ids.dtype).alias(ITEM).to_frame()
        if len(ids) * FEW <= len(self):  # a join makes a table of all that it looks up in
            table = table.join(asked, on=ITEM, how="semi")
        found = asked.join(table, on=ITEM, how="left", maintain_order="left")
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

    @property
    def names_or_nulls(self) -> pl.Series:
        """The name of each item, null for one without."""
        return (
            pl.Series(NAME, [None], pl.String).new_from_index(0, len(self))
            if self.names is None
            else self.names
        )

    def named(self, ids: pl.Series, texts: pl.Series) -> "Vocabulary":
        """The same, where some items are called otherwise from now on, by no name where the text is null; ids
        that are unknown are not looked at.

        >>> vocabulary = Vocabulary(pl.Series([7, 8]), np.array([3, 1]))
        >>> vocabulary.named(pl.Series([8, 9]), pl.Series(["Hat", "Coat"])).names_of([8, 7])
        {8: 'Hat'}
        """
        numbers = self.found(ids)
        known = pl.Series(numbers >= 0)
        texts = as_names(texts).filter(known)
        if self.names is None and not texts.count():
            return self
        names = self.names_or_nulls.clone().scatter(numbers[numbers >= 0], texts)  # which changes in place
        return replace(self, names=names if names.count() else None)

    def names_of(self, ids: Sequence[int | str]) -> dict[int | str, str]:
        """What some ids are called; those without a name are left out."""
        if self.names is None or not ids:
            return {}
        numbers = self.numbers(pl.Series(ids))
        pairs = zip(ids, numbers.tolist(), strict=True)
        return {
            one: name for one, number in pairs if number >= 0 and (name := self.names[number]) is not None
        }

    def resembling(self, text: str, k: int) -> NDArray[np.int64]:
        """The numbers of at most k items whose names hold every word of a text, the best first."""
        if self._folded is None:
            return np.empty(0, np.int64)
        return resembling(self._folded, self.support, text, k)

    @cached_property
    def _folded(self) -> pl.Series | None:
        return None if self.names is None else folded(self.names)

    def to_bytes(self) -> bytes:
        """A Parquet file with the columns item_id and support, and name where some item has one."""
        file, names = BytesIO(), {} if self.names is None else {NAME: self.names}
        pl.DataFrame({ITEM: self.ids, SUPPORT: self.support, **names}).write_parquet(file)
        return file.getvalue()

    def write(self, path: str | Path) -> None:
        """Write that file."""
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


def _columns_of(data: bytes) -> tuple[pl.Series, NDArray[np.int64], pl.Series | None]:
    """The checked columns of a vocabulary's file."""
    schema = pl.read_parquet_schema(BytesIO(data))
    if (
        list(schema) not in ([ITEM, SUPPORT], [ITEM, SUPPORT, NAME])
        or schema[ITEM] not in (pl.Int64, pl.String)
        or schema[SUPPORT] != pl.Int64
        or schema.get(NAME, pl.String) != pl.String
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
    return table[ITEM], counts, table[NAME] if NAME in schema else None


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
