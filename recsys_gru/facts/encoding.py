"""The encoding: which label rows and numbers the facts of an item became, learned once and saved."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.frames import ITEM
from recsys_gru.errors import InputError, SchemaError
from recsys_gru.facts.columns import Column, Labelled, Learned, labels_of, learned, numbers_in
from recsys_gru.facts.items import CheckedItems, ItemsData, check_as
from recsys_gru.facts.kinds import LABEL, LABELS, NUMBER, VECTOR, WORDS
from recsys_gru.files import Field, Layout, require_kind, strict_json
from recsys_gru.sessions.vocabulary import Vocabulary

log = logging.getLogger("recsys_gru")

_WHOLE = ("labels", "numbers", "edges", "buckets", "missing", "names")
LAYOUT: Layout = {
    "facts/columns": Field("int32", ("bytes",), low=0),
    "facts/keys": Field("int64", ("L",)),
    "facts/edges": Field("float64", ("edges",)),
    "facts/means": Field("float64", ("V",)),
    "facts/scales": Field("float64", ("V",), low=0),
}
"""The saved arrays: L labels, V numbers; the columns are JSON in UTF-8, a byte a number."""


class ItemFacts(NamedTuple):
    """What is known about N items, as labels and numbers.

    Attributes:
        offsets: the labels of item i are ``labels[offsets[i]:offsets[i + 1]]``, (N + 1,) int64.
        labels: label numbers 0..L-1, rising within an item, int32.
        weights: 1 for a label, 1/sqrt(n) for each of n labels or words of one column, float32.
        numbers: (N, V) float32; 0 where a number is missing.
    """

    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    weights: NDArray[np.float32]
    numbers: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Encoding:
    """What each column of facts became.

    >>> from recsys_gru.facts import check_items
    >>> checked = check_items(pl.DataFrame({"item_id": [7, 8], "brand": ["x", "y"], "size": [1, 3]}))
    >>> vocabulary = Vocabulary(pl.Series([8, 7]), np.array([4, 2]))
    >>> encoding = Encoding.of(checked, vocabulary)
    >>> facts = encoding.numbers_of(checked, vocabulary)
    >>> encoding.n_labels, encoding.width, facts.labels.tolist(), facts.numbers.tolist()
    (4, 1, [1, 3, 0, 2], [[1.0], [-1.0]])
    """

    parts: tuple[Learned, ...]

    @classmethod
    def of(cls, checked: CheckedItems, vocabulary: Vocabulary) -> "Encoding":
        """Learn labels, bands, means and scales from the items of a vocabulary; others are not looked at.

        Raises:
            SchemaError: the item ids are of another type than the vocabulary's.
            InputError: no item with facts is in the vocabulary.
        """
        known = vocabulary.numbers(checked.items[ITEM]) >= 0
        if not known.any():
            raise InputError(
                f"none of the {len(known):,} items with facts is in the log: the first are "
                f"{checked.items[ITEM].head(5).to_list()}, in the log {vocabulary.ids.head(5).to_list()}"
            )
        items = checked.items if known.all() else checked.items.filter(pl.Series(known))
        parts = [learned(items[name], kind) for name, kind in checked.kinds.items()]
        return cls(tuple(_with_names(part, checked.name) for part in parts))

    @property
    def n_labels(self) -> int:
        """L, the labels of all columns."""
        return sum(part.column.labels for part in self.parts)

    @property
    def width(self) -> int:
        """V, the numbers of all columns."""
        return sum(part.column.numbers for part in self.parts)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each column."""
        return {part.column.name: part.column.kind for part in self.parts}

    def check(self, items: ItemsData, ids_like: Vocabulary | None = None) -> CheckedItems:
        """Read and check further facts, which must have the columns that this encoding knows.

        Raises:
            SchemaError: a column is missing, unknown or of another kind.
            InputError: no row is left.
        """
        vectors = [part.column for part in self.parts if part.column.kind == VECTOR]
        widths = {column.name: column.numbers for column in vectors if column.numbers}
        name = next((part.column.name for part in self.parts if part.column.names), None)
        return check_as(items, self.kinds, widths, ids_like, name)

    def numbers_of(self, checked: CheckedItems, vocabulary: Vocabulary) -> ItemFacts:
        """The facts of all items of a vocabulary, in its order; an item without facts has none.

        A label that was not there when the encoding was learned has no row: it is left out, counted and
        told.

        Raises:
            SchemaError: the columns are not those of this encoding.
        """
        if checked.kinds != self.kinds:
            raise SchemaError(f"expected facts of the kinds {self.kinds}; got {checked.kinds}")
        numbers = vocabulary.numbers(checked.items[ITEM])
        coded = [labels_of(checked.items[part.column.name], part) for part in self.parts]
        if unknown := self._unknown(coded):
            told = ", ".join(f"{name}: {count:,}" for name, count in unknown.items())
            log.warning("labels and words that the model does not know are left out (%s)", told)
        return ItemFacts(
            *_rows_of_items(coded, self._first_labels(), numbers, len(vocabulary)),
            self._numbers(checked.items, numbers, len(vocabulary)),
        )

    def unknown_in(self, checked: CheckedItems) -> dict[str, int]:
        """By column, how many labels and words of these items have no row, where there are any."""
        return self._unknown([labels_of(checked.items[part.column.name], part) for part in self.parts])

    def told(self) -> pl.DataFrame:
        """What became of each column: column, kind, became, labels, numbers.

        >>> from recsys_gru.facts import check_items
        >>> checked = check_items(pl.DataFrame({"item_id": [1], "size": [2]}))
        >>> Encoding.of(checked, Vocabulary(pl.Series([1]), np.array([1]))).told()["became"].to_list()
        ['a standardised number']
        """
        columns = [part.column for part in self.parts]
        return pl.DataFrame(
            [(c.name, c.kind, _became(c), c.labels, c.numbers) for c in columns],
            schema={
                "column": pl.String,
                "kind": pl.String,
                "became": pl.String,
                "labels": pl.Int64,
                "numbers": pl.Int64,
            },
            orient="row",
        )

    def state(self) -> dict[str, NDArray[np.generic]]:
        """The arrays to save, by the names of the layout."""
        said = json.dumps([asdict(part.column) for part in self.parts]).encode("utf-8")
        return {
            "facts/columns": np.frombuffer(said, dtype=np.uint8).astype(np.int32),
            "facts/keys": np.concatenate([part.keys for part in self.parts]),
            "facts/edges": np.concatenate([part.edges for part in self.parts]),
            "facts/means": np.concatenate([part.means for part in self.parts]),
            "facts/scales": np.concatenate([part.scales for part in self.parts]),
        }

    @staticmethod
    def layout() -> Layout:
        """What the saved arrays must be."""
        return LAYOUT

    @classmethod
    def restored(cls, state: Mapping[str, NDArray[np.generic]]) -> "Encoding":
        """The encoding that ``state`` gave.

        Raises:
            InputError: the arrays, which are as the layout says, do not belong together.
        """
        columns = _columns(state["facts/columns"])
        parts = []
        for name, size in (
            ("keys", "labels"),
            ("edges", "edges"),
            ("means", "numbers"),
            ("scales", "numbers"),
        ):
            ends = list(accumulate(getattr(column, size) for column in columns))
            if ends[-1:] != [len(state[f"facts/{name}"])]:
                raise InputError(f"expected {ends[-1:]} values in the array 'facts/{name}'")
            parts.append(np.split(state[f"facts/{name}"].copy(), ends[:-1]))
        found = tuple(Learned(column, *arrays) for column, *arrays in zip(columns, *parts, strict=True))
        for part in found:
            rises = [(values[1:] > values[:-1]).all() for values in (part.keys, part.edges)]
            if not all(rises) or (part.scales <= 0).any():
                raise InputError(f"expected rising keys and edges, scales above 0, in {part.column.name!r}")
        return cls(found)

    def _first_labels(self) -> list[int]:
        return [0, *accumulate(part.column.labels for part in self.parts)]

    def _unknown(self, coded: list[Labelled]) -> dict[str, int]:
        pairs = zip(self.parts, coded, strict=True)
        return {part.column.name: one.unknown for part, one in pairs if one.unknown}

    def _numbers(self, items: pl.DataFrame, numbers: NDArray[np.int32], n_items: int) -> NDArray[np.float32]:
        table = np.zeros((n_items, self.width), dtype=np.float32)
        first = 0
        for part in self.parts:
            column = part.column
            for rows, block in numbers_in(items[column.name], part) if column.numbers else ():
                known = numbers[rows] >= 0
                table[numbers[rows[known]], first : first + column.numbers] = block[known]
            first += column.numbers
        return table


def _with_names(part: Learned, name: str | None) -> Learned:
    """The column, marked if it is the one of what people call the items."""
    return part._replace(column=replace(part.column, names=int(part.column.name == name)))


def _rows_of_items(
    coded: list[Labelled], firsts: list[int], numbers: NDArray[np.int32], n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Offsets, labels and weights, in the order of items, columns and labels."""
    items = np.concatenate([numbers[one.rows] for one in coded])
    labels = np.concatenate([one.labels + np.int32(first) for one, first in zip(coded, firsts, strict=False)])
    weights = np.concatenate([one.weights for one in coded])
    order = np.argsort(items, kind="stable")
    order = order[np.searchsorted(items[order], 0) :]  # items outside the vocabulary are -1
    offsets = np.zeros(n_items + 1, dtype=np.int64)
    np.cumsum(np.bincount(items[order], minlength=n_items), out=offsets[1:])
    return offsets, labels[order], weights[order]


def _columns(said: NDArray[np.generic]) -> list[Column]:
    """The columns that a saved text tells of."""
    numbers: NDArray[np.int32] = said  # type: ignore[assignment]
    if len(numbers) and numbers.max() > 255:
        raise InputError("expected bytes in the array 'facts/columns'")
    kind = [{"name": str, "kind": str, **dict.fromkeys(_WHOLE, int)}]
    entries = strict_json(numbers.astype(np.uint8).tobytes())
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            entry.setdefault("names", 0)  # models were saved before it was told
    columns = [Column(**entry) for entry in require_kind(entries, kind, "facts/columns")]
    names = {column.name for column in columns}
    if not columns or len(names) < len(columns) or not all(_holds_together(column) for column in columns):
        raise InputError("expected columns of facts, each once and of a kind, in the array 'facts/columns'")
    return columns


def _holds_together(column: Column) -> bool:
    """Whether the sizes are those of a column of its kind."""
    bands = column.edges + 1 if column.edges else 0
    power = column.buckets & (column.buckets - 1) == 0
    texts = not (column.numbers or column.edges or column.missing) and column.names < 2
    numbers = not (column.buckets or column.names) and column.missing < 2
    numbers = numbers and column.labels == bands + column.missing
    return {
        LABEL: texts and not column.buckets,
        LABELS: texts and not column.buckets,
        WORDS: texts and column.buckets > 0 and power,
        NUMBER: numbers and column.numbers == 1,
        VECTOR: numbers and not column.edges,
    }.get(column.kind, False)


def _became(column: Column) -> str:
    if column.kind == VECTOR:
        return f"a vector of {column.numbers} numbers, projected{', and a row for none' * column.missing}"
    if column.kind == NUMBER:
        bands = f", a row for each of {column.edges + 1} bands" if column.edges else ""
        return f"a standardised number{bands}{', and a row for none' * column.missing}"
    named = ", and the item's name" * column.names
    if column.kind == WORDS:
        return f"{column.labels} rows for the words, hashed to {column.buckets}{named}"
    return f"a row for each of {column.labels} labels{named}"
