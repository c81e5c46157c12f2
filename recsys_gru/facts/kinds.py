"""What a column of facts is: label, labels, number, vector or words, and its values as such."""

from collections.abc import Callable, Mapping

import polars as pl

from recsys_gru.arguments import shown
from recsys_gru.clicks.ids import NULL_WORDS
from recsys_gru.clicks.times import TEXT_FORMATS, from_text
from recsys_gru.errors import ParameterError, SchemaError
from recsys_gru.facts.words import words_of

LABEL, LABELS, NUMBER, VECTOR, WORDS = "label", "labels", "number", "vector", "words"
_TAKEN = {
    LABEL: ("text", "category", "boolean", "whole", "float", "nothing"),
    LABELS: ("texts", "wholes", "text", "nothing", "nothings"),
    NUMBER: ("whole", "float", "time", "boolean", "text", "nothing"),
    VECTOR: ("floats", "array of wholes", "wholes", "nothing", "nothings"),
    WORDS: ("text", "category", "texts", "nothing", "nothings"),
}
"""Of what each kind can be made."""
KINDS = tuple(_TAKEN)
_USUAL = {
    "boolean": LABEL, "category": LABEL, "nothing": LABEL, "whole": NUMBER, "float": NUMBER, "time": NUMBER,
    "texts": LABELS, "wholes": LABELS, "nothings": LABELS, "floats": VECTOR, "array of wholes": VECTOR,
}  # fmt: skip
WORDY = 1.5
"""Words per value times the share of distinct values, from which on a text is words and no label."""
BETWEEN_LABELS = "|"
_NAMES = (
    "name", "title", "itemname", "itemtitle", "productname", "producttitle", "articlename", "articletitle",
    "displayname", "headline", "movietitle", "songtitle", "tracktitle", "trackname", "booktitle",
)  # fmt: skip
"""How columns are called that say what people call an item, the surest first."""


def kinds_of(frame: pl.DataFrame, wanted: Mapping[str, str], *, untyped: bool) -> dict[str, str]:
    """The kind of each column: what the caller says, else what its type and values say.

    Raises:
        ParameterError: there is no such kind or column.
        SchemaError: a column is of a type that is no fact, or cannot be of the kind wanted.
    """
    if strange := sorted(set(wanted) - set(frame.columns)):
        raise ParameterError(f"kinds names {strange[0]!r}; the columns are {', '.join(frame.columns)}")
    if odd := [kind for kind in wanted.values() if kind not in KINDS]:
        raise ParameterError(f"expected kinds of {', '.join(KINDS)}; got {shown(odd[0])}")
    kinds = {}
    for name, values in frame.to_dict().items():
        family = _family(values.dtype)
        kind = wanted.get(name) or _USUAL.get(family) or _kind_of_text(values, untyped=untyped)
        if family not in _TAKEN[kind]:
            raise SchemaError(
                f"the column {name!r} cannot be {kind}: it is {values.dtype}. What to do: cast it to one of "
                f"{', '.join(_TAKEN[kind])}, or leave it out"
            )
        kinds[name] = kind
    return kinds


def name_column(kinds: Mapping[str, str], wanted: str | None) -> str | None:
    """The column of what people call the items: the one that is wanted, else one of texts with a usual name;
    None where there is none.

    Raises:
        ParameterError: the wanted column is not there, or holds no texts.

    >>> name_column({"Product_Name": "words", "size": "number"}, None)
    'Product_Name'
    """
    if wanted is None:
        texts = [name for name, kind in kinds.items() if kind in (LABEL, WORDS)]
        plain = {"".join(c for c in name.lower() if c.isalnum()): name for name in reversed(texts)}
        return next((plain[name] for name in _NAMES if name in plain), None)
    if wanted not in kinds:
        raise ParameterError(f"there is no column {wanted!r} of names; the columns are {', '.join(kinds)}")
    if kinds[wanted] not in (LABEL, WORDS):
        raise ParameterError(
            f"the column {wanted!r} cannot hold names: it is {kinds[wanted]}. What to do: say "
            f'kinds={{"{wanted}": "words"}}'
        )
    return wanted


def _family(dtype: pl.DataType) -> str:
    if isinstance(dtype, (pl.List, pl.Array)):
        inner = _family(dtype.inner)  # type: ignore[arg-type]
        inner = "text" if inner in ("category", "boolean") else inner
        kind = f"{inner}s" if inner in ("text", "whole", "float", "nothing") else str(dtype)
        return "array of wholes" if kind == "wholes" and isinstance(dtype, pl.Array) else kind
    tests: dict[str, bool] = {
        "text": dtype == pl.String,
        "category": isinstance(dtype, (pl.Categorical, pl.Enum)),
        "boolean": dtype == pl.Boolean,
        "whole": dtype.is_integer(),
        "float": dtype.is_float() or dtype.is_decimal(),
        "time": dtype.is_temporal(),
        "nothing": dtype == pl.Null,
    }
    return next((name for name, holds in tests.items() if holds), "other")


def _kind_of_text(values: pl.Series, *, untyped: bool) -> str:
    """What a column is that holds text, or what nobody can use."""
    if values.dtype != pl.String:
        raise SchemaError(
            f"the column {values.name!r} is {values.dtype}, which is no fact: facts are texts, booleans, "
            "numbers, times, and lists of texts or floats. What to do: cast it, or leave it out"
        )
    told = without_words(values).drop_nulls()
    if untyped and len(told) and _number_of_text(told).null_count() == 0:
        return NUMBER
    told = _label(values).drop_nulls()
    wordy = words_of(told.unique()).height > WORDY * max(1, len(told))
    return WORDS if wordy else LABEL


def typed(values: pl.Series, kind: str) -> pl.Series:
    """The values of a column as its kind has them: text, lists of text, floats, or lists of floats; a value
    that cannot be read is null.
    """
    made: dict[str, Callable[[pl.Series], pl.Series]] = {
        LABEL: _label, LABELS: _labels, NUMBER: _number, VECTOR: _vector, WORDS: _words,
    }  # fmt: skip
    return made[kind](values)


def _label(values: pl.Series) -> pl.Series:
    """Text without blanks around it; 3.0 is 3, as missing values make floats of whole numbers."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        text = pl.select(pl.when(whole == values).then(whole.cast(pl.String))).to_series()
        values = text.zip_with(text.is_not_null() | values.is_null(), values.cast(pl.String)).alias(
            values.name
        )
    text = values.cast(pl.String).str.normalize("NFC").str.strip_chars()
    return text.set(text == "", None)


def _labels(values: pl.Series) -> pl.Series:
    if not isinstance(values.dtype, (pl.List, pl.Array)):
        return values.cast(pl.String).str.split(BETWEEN_LABELS)
    listed = values.arr.to_list() if isinstance(values.dtype, pl.Array) else values
    return listed.cast(pl.List(pl.String))


def _number(values: pl.Series) -> pl.Series:
    """Floats; times as seconds, those since 1970 where they are moments."""
    kind = values.dtype
    if isinstance(kind, (pl.Date, pl.Datetime)):
        zone = kind.time_zone if isinstance(kind, pl.Datetime) else None
        return values.cast(pl.Datetime("us", zone)).to_physical().cast(pl.Float64) / 1e6
    if isinstance(kind, pl.Duration):
        return values.cast(pl.Duration("us")).to_physical().cast(pl.Float64) / 1e6
    if isinstance(kind, pl.Time):
        return values.to_physical().cast(pl.Float64) / 1e9
    return _number_of_text(without_words(values)) if kind == pl.String else values.cast(pl.Float64)


def _number_of_text(text: pl.Series) -> pl.Series:
    """Text as numbers, or as seconds since 1970 where it is a moment; null where it is neither."""
    number = text.cast(pl.Float64, strict=False)
    if number.null_count() == text.null_count():
        return number
    moments = [from_text(pl.col(text.name), form, "UTC").to_physical() / 1e6 for form in TEXT_FORMATS]
    return text.to_frame().select(pl.coalesce(pl.lit(number), *moments).alias(text.name)).to_series()


def without_words(text: pl.Series) -> pl.Series:
    """Text without blanks around it, null where it is a word for nothing."""
    plain = text.str.strip_chars()
    return plain.set(plain.str.to_lowercase().is_in(NULL_WORDS), None)


def _vector(values: pl.Series) -> pl.Series:
    if values.dtype in (pl.Null, pl.List(pl.Null)):
        return values.cast(pl.List(pl.Float32))
    is_array = isinstance(values.dtype, pl.Array)
    listed = values.arr.to_list() if is_array else values
    inner = values.dtype.inner  # type: ignore[attr-defined]
    return listed if inner.is_float() else listed.cast(pl.List(pl.Float64))


def _words(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, (pl.List, pl.Array)):
        return _labels(values).list.join(" ", ignore_nulls=True)
    return values.cast(pl.String)
