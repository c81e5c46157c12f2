"""The labels of moments: which row each value of a column of context became, learned once and saved."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.moment import GAP, HOUR
from recsys_gru.clicks.order import numbered
from recsys_gru.errors import InputError, ParameterError, SchemaError
from recsys_gru.facts.words import keys_of
from recsys_gru.files import Field, Layout, require_kind, strict_json
from recsys_gru.sessions import GAPS, HOURS, gap_label

MADE = {GAP: GAPS, HOUR: HOURS}
"""Labels of what is made from the time."""
MOST = 10_000
"""Labels of a column at most: more are no few things that come again, such as devices, but ids or amounts."""
FEW = 256
"""Events of which labels are found one by one, without a query of Polars: also in a forked process."""
Context = Mapping[str, object]
"""What is known about the moment of one click, by the names of columns."""


@dataclass(frozen=True)
class Told:
    """A column of context: its labels are known by 64 bits of their digests, (L,) rising; of what is made
    from the time there are none, and a label is its own number."""

    name: str
    made: bool
    keys: NDArray[np.int64]

    @property
    def labels(self) -> int:
        """How many there are."""
        return MADE[self.name] if self.made else len(self.keys)


@dataclass(frozen=True, eq=False)
class Moments:
    """What each column of context became.

    >>> moments = Moments.of(pl.DataFrame({"device": ["phone", "tablet", None]}))
    >>> moments.numbers_of(pl.DataFrame({"device": ["phone", "watch", None, "phone"]})).tolist()
    [[1], [-1], [-1], [1]]
    """

    parts: tuple[Told, ...]

    @classmethod
    def of(cls, moment: pl.DataFrame) -> "Moments":
        """Learn the labels of training events.

        Raises:
            InputError: a column has no label, or more than can be labels.
        """
        parts = []
        for name, values in moment.to_dict().items():
            made = values.dtype == pl.Int64
            keys = np.unique(keys_of(values.drop_nulls().unique())) if not made else np.empty(0, np.int64)
            if not made and not 0 < len(keys) <= MOST:
                raise InputError(
                    f"expected 1 to {MOST:,} labels in the context {name!r}, got {len(keys):,}. What to do: "
                    "cut it into a few labels, or leave it out of context"
                )
            parts.append(Told(name, made, keys))
        return cls(tuple(parts))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(part.name for part in self.parts)

    @property
    def n_labels(self) -> int:
        """Of all columns."""
        return sum(part.labels for part in self.parts)

    def numbers_of(self, moment: pl.DataFrame) -> NDArray[np.int64]:
        """The labels (E, C) of events; -1 where one is missing, or was not there when labels were learned.

        Raises:
            SchemaError: a column is not what it was: made from the time then, or the log's own.
        """
        found = np.empty((moment.height, len(self.parts)), np.int64)
        for column, (first, part) in enumerate(zip(self._firsts, self.parts, strict=True)):
            labels = self._labels(moment[part.name], part)
            found[:, column] = np.where(labels >= 0, labels + first, -1)
        return found

    def worth_of(
        self, labels: NDArray[np.int64], weights: Mapping[str, Mapping[str, float]]
    ) -> NDArray[np.float32]:
        """What events count (E,), given their labels (E, C): the product of the weights of these, 1 where a
        label has none.

        Raises:
            InputError: a weight is of a label that training had not.
        """
        of_label = np.ones(self.n_labels + 1, np.float32)  # the last one: of no label
        for first, part in zip(self._firsts, self.parts, strict=True):
            for label, weight in weights.get(part.name, {}).items():
                value = int(label) if part.made else label
                place = self._labels(pl.Series([value], dtype=pl.Int64 if part.made else pl.String), part)[0]
                if not 0 <= place < part.labels:
                    raise InputError(f"target_weights names {label!r}: no click has this {part.name!r}")
                of_label[first + place] = weight
        found: NDArray[np.float32] = of_label[labels].prod(1, dtype=np.float32)
        return found

    def frame_of(self, told: Sequence[Context | None], ends: Sequence[int], height: int) -> pl.DataFrame:
        """The columns of `height` events of which those at `ends` are told of, as sessions have them.

        Raises:
            InputError: a value is no label, or of a column that is not known.
        """
        columns: dict[str, list[str | int | None]] = {name: [None] * height for name in self.names}
        for end, context in zip(ends, told, strict=True):
            if context and not isinstance(context, Mapping):
                raise ParameterError(f"expected context as {{'device': 'phone'}}, got {context!r}")
            for name, value in (context or {}).items():
                part = next((one for one in self.parts if one.name == name), None)
                if part is None:
                    raise ParameterError(f"context names {name!r}; the model knows {', '.join(self.names)}")
                columns[name][end] = _value(part, value)
        kinds = {part.name: pl.Int64 if part.made else pl.String for part in self.parts}
        return pl.DataFrame(columns, schema=kinds)

    def told(self) -> pl.DataFrame:
        """What became of each column: column, labels, and whether it is made from the time."""
        rows = [(part.name, part.labels, part.made) for part in self.parts]
        schema = {"column": pl.String, "labels": pl.Int64, "made from the time": pl.Boolean}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def state(self) -> dict[str, NDArray[np.generic]]:
        """The arrays to save, by the names of the layout."""
        parts = [{"name": one.name, "made": one.made, "keys": len(one.keys)} for one in self.parts]
        said = json.dumps(parts).encode("utf-8")
        return {
            "moment/columns": np.frombuffer(said, dtype=np.uint8).astype(np.int32),
            "moment/keys": np.concatenate([part.keys for part in self.parts]),
        }

    @staticmethod
    def layout() -> Layout:
        """What the saved arrays must be; K keys."""
        return {
            "moment/columns": Field("int32", ("context bytes",), low=0, optional=True),
            "moment/keys": Field("int64", ("K",), optional=True),
        }

    @classmethod
    def restored(cls, state: Mapping[str, NDArray[np.generic]], names: tuple[str, ...]) -> "Moments | None":
        """What ``state`` gave, where these are the names of columns; None where there are none.

        Raises:
            InputError: the arrays, which are as the layout says, do not belong together.
        """
        ours = {"moment/columns", "moment/keys", "weights/moment.labels"}
        if not ours & state.keys() and not names:
            return None
        if missing := sorted(ours - state.keys()):
            raise InputError(f"expected all that tells of context, or nothing; missing: {missing}")
        parts = _parts(state["moment/columns"], state["moment/keys"])
        found = cls(tuple(parts))
        if found.names != names or found.n_labels != len(state["weights/moment.labels"]):
            raise InputError(f"expected the labels of the context {names}, got others")
        return found

    @cached_property
    def _firsts(self) -> list[int]:
        return [0, *accumulate(part.labels for part in self.parts)][:-1]

    def _labels(self, values: pl.Series, part: Told) -> NDArray[np.int64]:
        if part.made != (values.dtype == pl.Int64):
            was, now = ("made from the time", "a column of the log")[:: 1 if part.made else -1]
            raise SchemaError(f"the context {part.name!r} was {was} when it was learned, and is {now} here")
        few = len(values) <= FEW
        codes, different = (np.arange(len(values)), values) if few else numbered(values)
        told = different.to_list()
        if part.made:
            return np.array([-1 if one is None else one for one in told], np.int64)[codes]
        keys = keys_of(pl.Series([one or "" for one in told], dtype=pl.String))
        places = np.searchsorted(part.keys, keys).clip(max=len(part.keys) - 1)
        known = (part.keys[places] == keys) & np.array([one is not None for one in told], np.bool_)
        return np.where(known, places, -1)[codes]


def _value(part: Told, value: object) -> str | int | None:
    """A value of one click's context, as sessions have it."""
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if part.made:
        if number and 0 <= value < (HOURS if part.name == HOUR else np.inf):  # type: ignore[operator]
            return gap_label(value) if part.name == GAP else int(value)  # type: ignore[arg-type, call-overload]
        raise ParameterError(
            f"expected the context {part.name!r} as "
            + ("seconds since the click before" if part.name == GAP else "an hour from 0 to 23, UTC")
            + f", got {value!r}"
        )
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) or number:
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        return text.strip() or None
    raise ParameterError(f"expected the context {part.name!r} as text, a number or a truth, got {value!r}")


def _parts(said: NDArray[np.generic], keys: NDArray[np.generic]) -> list[Told]:
    """The columns that a saved text tells of."""
    numbers: NDArray[np.int32] = said  # type: ignore[assignment]
    if len(numbers) and numbers.max() > 255:
        raise InputError("expected bytes in the array 'moment/columns'")
    kind = [{"name": str, "made": bool, "keys": int}]
    columns = require_kind(strict_json(numbers.astype(np.uint8).tobytes()), kind, "moment/columns")
    ends = list(accumulate(column["keys"] for column in columns))
    if not columns or min(column["keys"] for column in columns) < 0 or ends[-1] != len(keys):
        raise InputError(f"expected columns of {len(keys)} keys in the array 'moment/columns'")
    pieces = np.split(keys.astype(np.int64), ends[:-1])
    parts = [Told(one["name"], one["made"], piece) for one, piece in zip(columns, pieces, strict=True)]
    for part in parts:
        sound = part.name in MADE and not len(part.keys) if part.made else len(part.keys) > 0
        if not sound or (part.keys[1:] <= part.keys[:-1]).any():
            raise InputError(f"expected rising keys of the context {part.name!r}")
    return parts
