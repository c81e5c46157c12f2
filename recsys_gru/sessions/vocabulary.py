"""The vocabulary: the frozen map between the caller's item ids and item numbers 0..N-1."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import ITEM
from recsys_gru.errors import ClickLogError, SchemaError

SUPPORT = "support"


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

    def number(self, item: int | str) -> int:
        """The number of one item, -1 where it is unknown."""
        return self._number_of.get(item, -1)

    def numbers(self, ids: pl.Series) -> NDArray[np.int32]:
        """The numbers of many ids, -1 where an id is unknown; (n,) int32.

        Raises:
            SchemaError: whole numbers were asked of a vocabulary of text, or the other way round.
        """
        if len(ids) and ids.dtype != pl.Null:
            ids = as_ids(ids)
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

    def take(self, numbers: "NDArray[np.integer] | list[int]") -> pl.Series:
        """The ids of many numbers."""
        chosen = np.asarray(numbers, dtype=np.int64)
        if self.ids.dtype == pl.Int64:
            return pl.Series(ITEM, self.ids.to_numpy()[chosen])
        return self.ids[chosen]  # not gather, a query of .2 ms

    def write(self, path: str | Path) -> None:
        """Write a Parquet file with the columns item_id and support."""
        pl.DataFrame({ITEM: self.ids, SUPPORT: self.support}).write_parquet(path)

    @classmethod
    def read(cls, path: str | Path) -> "Vocabulary":
        """Read what ``write`` wrote.

        Raises:
            SchemaError: the file is no vocabulary.
        """
        table = pl.read_parquet(path)
        if table.columns != [ITEM, SUPPORT]:
            raise SchemaError(
                f"expected the columns {ITEM}, {SUPPORT} in {path}; found {', '.join(table.columns)}"
            )
        return cls(table[ITEM], table[SUPPORT].to_numpy())


def _plain(item: str) -> str | None:
    """The one way a whole number is written, None for what is none."""
    return str(int(item)) if item.removeprefix("-").isdecimal() and item.isascii() else None


def as_ids(ids: pl.Series) -> pl.Series:
    """Ids as Int64 or String.

    Raises:
        SchemaError: they are something else.
    """
    if ids.dtype.is_integer():
        return ids.cast(pl.Int64)
    if ids.dtype == pl.String or isinstance(ids.dtype, (pl.Categorical, pl.Enum)):
        return ids.cast(pl.String)
    if not len(ids):
        return ids.cast(pl.Int64)
    raise SchemaError(f"expected ids as whole numbers or text; got {ids.dtype}: {ids.head(5).to_list()}")
