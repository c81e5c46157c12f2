"""Ids on their way in: whole numbers or text, and never two ids as one.

A whole column decides what its ids are, so that it never depends on which rows come first; what is known
from elsewhere (``kind``: a vocabulary, a store, the caller) goes before what the column looks like.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from recsys_gru.clicks.frames import ITEM, SESSION, USER
from recsys_gru.errors import ParameterError, SchemaError

log = logging.getLogger("recsys_gru")

WHOLE, TEXT = "whole", "text"
LARGEST = (1 << 63) - 1
NULL_WORDS = ("", "null", "none", "na", "n/a", "<na>", "#n/a", "\\n")
ODD_WORDS = ("nan", "inf", "+inf", "-inf", "infinity", "-infinity")
# what is no id in a column of text
_NO_ID_PATTERN = "(?i)^\\s*(" + "|".join(re.escape(word) for word in (*NULL_WORDS, "nan", "nat")) + ")\\s*$"
_DIGITS = r"^-?(0|[1-9]\d{0,18})$"
_BIG = r"^[1-9]\d{18,}$"
_ZEROS = r"\.0+$"
_HELD = 1 << 53  # from here on a float stands for more than one whole number
Facts = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How one column is read, and whether some values cannot be."""

    value: pl.Expr
    lossy: bool


def kinds_of(ids: "str | Mapping[str, str] | None") -> dict[str, str]:
    """What the ids of each column are, where the caller says so: ``whole`` or ``text``.

    Raises:
        ParameterError: there is no such kind or column.
    """
    columns = (SESSION, ITEM, USER)
    if ids is None:
        return {}
    kinds = dict(ids) if isinstance(ids, Mapping) else dict.fromkeys(columns, ids)
    if set(kinds) - set(columns) or any(kind not in (WHOLE, TEXT) for kind in kinds.values()):
        raise ParameterError(
            f"expected ids as 'text' or 'whole', or a dict of them for {', '.join(columns)}; got {ids!r}"
        )
    return kinds


def _held(kind: pl.DataType) -> int:
    """From where on floats of a type stand for more than one whole number."""
    return _HELD if kind == pl.Float64 else 1 << (24 if kind == pl.Float32 else 11)


def as_whole(text: pl.Expr) -> pl.Expr:
    """Text as whole numbers where it is one written in the usual way (``12``, ``12.0``), null elsewhere."""
    plain = text.str.strip_chars().str.replace(_ZEROS, "")
    return pl.when(plain.str.contains(_DIGITS)).then(plain).cast(pl.Int64, strict=False)


def id_facts(name: str, kind: pl.DataType, *, untyped: bool) -> list[pl.Expr]:
    """What must be known of a whole column to read its ids."""
    column = pl.col(name)
    if isinstance(kind, pl.Decimal) or (kind == pl.String and untyped):
        return _text_facts(name, column, exact=kind != pl.String)
    if kind == pl.String:
        return _clean_facts(name, column)
    if kind.is_integer() and kind not in _NARROW:
        large, low = column > LARGEST, column < -LARGEST - 1
        return [large.sum().alias(f"{name}_big"), low.sum().alias(f"{name}_low")]
    if kind.is_float():
        whole = column == column.floor()
        held = column.abs() < _held(kind)
        return [
            (column.is_finite() & ~whole).sum().alias(f"{name}_bad"),
            (~column.is_finite()).sum().alias(f"{name}_odd"),
            (column.is_finite() & whole & ~held).sum().alias(f"{name}_unheld"),
        ]
    return []


_NARROW = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)


def _is_word(column: pl.Expr, words: tuple[str, ...]) -> pl.Expr:
    return column.str.strip_chars().str.to_lowercase().is_in(words).fill_null(value=False)


def _text_facts(name: str, column: pl.Expr, *, exact: bool) -> list[pl.Expr]:
    text = column.cast(pl.String).str.strip_chars()
    word = _is_word(text, (*NULL_WORDS, *ODD_WORDS))
    number = as_whole(text)
    whole = number.is_not_null()
    unheld = whole & text.str.contains(_ZEROS) & (number.abs() >= _HELD) & pl.lit(not exact)
    big = text.str.replace(_ZEROS, "").str.contains(_BIG) & ~whole
    other = text.is_not_null() & ~whole & ~word
    found = {"whole": whole, "unheld": unheld, "word": word, "big": big, "text": other & ~big}
    counts = [is_so.fill_null(value=False).sum().alias(f"{name}_{fact}") for fact, is_so in found.items()]
    return [*counts, *_clean_facts(name, column.cast(pl.String))]


def id_plan(name: str, kind: pl.DataType, facts: Facts, wanted: str | None, *, untyped: bool) -> Plan:
    """How a column of ids is read; ``wanted`` is what its ids are, where that is known.

    Raises:
        SchemaError: the column holds neither numbers nor text.
    """
    column = pl.col(name)
    if kind == pl.Null:
        return Plan(column.cast(pl.String if wanted == TEXT else pl.Int64), lossy=False)
    if isinstance(kind, pl.Decimal) or (kind == pl.String and (untyped or wanted == WHOLE)):
        return _of_text(name, column, facts, wanted, exact=kind != pl.String)
    if kind.is_integer():
        return _of_integers(name, column, facts, wanted)
    if kind.is_float():
        return _of_floats(name, column, kind, facts, wanted)
    if kind == pl.String:
        return _text(name, column, facts)
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        text = column.cast(pl.String)
        return Plan(_without_words(text), lossy=True)
    how = f', pl.col("{name}").bin.encode("hex") say' if kind == pl.Binary else ""
    raise SchemaError(
        f"expected {name} as whole numbers or text; the column is {kind}. What to do: cast it to text{how}"
    )


def _clean_facts(name: str, text: pl.Expr) -> list[pl.Expr]:
    """How many values are words for nothing, and how many have blanks around them."""
    word, blank = text.str.contains(_NO_ID_PATTERN), text.str.contains(r"^\s|\s$")
    return [word.sum().alias(f"{name}_no_id"), blank.sum().alias(f"{name}_blank")]


def _text(name: str, column: pl.Expr, facts: Facts) -> Plan:
    """Text without the blanks around it; words for nothing (``NULL``) are null."""
    if facts[f"{name}_no_id"]:
        return Plan(_without_words(column), lossy=True)
    return Plan(column.str.strip_chars() if facts[f"{name}_blank"] else column, lossy=False)


def _without_words(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.str.contains(_NO_ID_PATTERN)).then(text.str.strip_chars())


def _of_text(name: str, column: pl.Expr, facts: Facts, wanted: str | None, *, exact: bool) -> Plan:
    text = column.cast(pl.String)
    if exact:  # decimals: 12.00 is 12
        text = text.str.replace(_ZEROS, "")
    if f"{name}_whole" not in facts:  # typed text that is to be numbers
        return Plan(as_whole(text), lossy=True)
    whole, other, big = (int(facts[f"{name}_{fact}"]) for fact in ("whole", "text", "big"))
    if wanted == WHOLE or (wanted is None and whole and not (other or big)):
        held = as_whole(text)
        if facts[f"{name}_unheld"]:
            _warn_unheld(name, facts[f"{name}_unheld"], "2^53")
            written = text.str.strip_chars().str.contains(_ZEROS)
            held = pl.when(~(written & (held.abs() >= _HELD))).then(held)
        lost = facts[f"{name}_unheld"] + facts[f"{name}_word"] + other + big
        return Plan(held, lossy=lost > 0)
    if wanted is None and big and not other:
        log.warning("%s: %d ids lie above %d: all are kept as text", name, big, LARGEST)
    elif wanted is None and whole:
        log.warning(
            "%s: %d values are whole numbers and %d are not; all are kept as text", name, whole, other + big
        )
    return _text(name, text, facts)


def _of_integers(name: str, column: pl.Expr, facts: Facts, wanted: str | None) -> Plan:
    outside = int(facts.get(f"{name}_big", 0) + facts.get(f"{name}_low", 0))
    if outside and wanted is None:
        log.warning("%s: %d ids lie above %d: all are cast to text", name, outside, LARGEST)
    if wanted == TEXT or (outside and wanted is None):
        return Plan(column.cast(pl.String), lossy=False)
    return Plan(column.cast(pl.Int64, strict=False), lossy=outside > 0)


def _of_floats(name: str, column: pl.Expr, kind: pl.DataType, facts: Facts, wanted: str | None) -> Plan:
    limit = _held(kind)
    if facts[f"{name}_unheld"]:
        _warn_unheld(name, facts[f"{name}_unheld"], f"2^{limit.bit_length() - 1}")
    good = column.is_finite() & (column == column.floor()) & (column.abs() < limit)
    value = pl.when(good).then(column).cast(pl.Int64, strict=False)
    lost = facts[f"{name}_bad"] + facts[f"{name}_odd"] + facts[f"{name}_unheld"]
    return Plan(value.cast(pl.String) if wanted == TEXT else value, lossy=lost > 0)


def _warn_unheld(name: str, n_values: float, limit: str) -> None:
    log.warning(
        "%s: %d values were floats from %s on, which stand for more than one whole number: two ids may have "
        "become one, so the rows are set aside. What to do: keep the ids as whole numbers or text (in pandas "
        "dtype 'Int64' or 'string', which missing values do not turn into floats)",
        name,
        n_values,
        limit,
    )
