"""Items files and frames at the door: rows that cannot be used are set aside with their reason, counted."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import polars as pl

from recsys_gru.arguments import shown, whole_number, word
from recsys_gru.clicks.frames import ITEM
from recsys_gru.clicks.ids import NULL_WORDS, ODD_WORDS, TEXT, WHOLE, id_facts, id_plan
from recsys_gru.clicks.ledger import Ledger, Size, notes_in
from recsys_gru.clicks.read import synonym
from recsys_gru.clicks.scan import Source, collect, scan
from recsys_gru.errors import InputError, ParameterError, SchemaError
from recsys_gru.facts.kinds import NUMBER, VECTOR, kinds_of, name_column, typed, without_words
from recsys_gru.sessions.vocabulary import Vocabulary

log = logging.getLogger("recsys_gru")

REASON, DUPLICATE = "reason", "duplicate item_id"


@dataclass(frozen=True)
class CheckedItems:
    """The usable rows of an items file, one an item, and what was set aside.

    Attributes:
        items: item_id and the facts: text for ``label`` and ``words``, lists of text for ``labels``, floats
            for ``number``, lists of floats for ``vector``; null where a fact is missing.
        kinds: what each column is: label, labels, number, vector or words.
        rejected: the other rows as they came, with the column ``reason``.
        counts: rows ``read``, ``kept`` and ``rejected`` (their sum), then rows by reason.
        name: the column that says what people call the items; None where there is none.
    """

    items: pl.DataFrame
    kinds: dict[str, str]
    rejected: pl.DataFrame
    counts: dict[str, int]
    name: str | None = None

    def called(self, name: str | None = None) -> "CheckedItems":
        """The same, where this column says what people call the items, if not given one with a usual name.

        Raises:
            ParameterError: there is no such column of texts.
        """
        return replace(self, name=name_column(self.kinds, name))

    def naming(self, vocabulary: Vocabulary) -> Vocabulary:
        """The vocabulary with these items' names in place of those that they had."""
        return vocabulary if self.name is None else vocabulary.named(self.items[ITEM], self.items[self.name])


ItemsData: TypeAlias = "CheckedItems | Source"
"""Facts about items: a frame of any kind, a path, or what check_items gave."""


def check_items(
    items: ItemsData,
    *,
    item: str = ITEM,
    kinds: Mapping[str, str] | None = None,
    name: str | None = None,
    ids_like: Vocabulary | None = None,
    ledger: Ledger | None = None,
) -> CheckedItems:
    """Read facts about items, and set aside the rows that cannot be used.

    ``items`` has a column of item ids and any others: texts, booleans, numbers, times, lists of texts, lists
    or arrays of floats. What a column is (label, labels, number, vector, words) its type says, for texts
    their values: ``words`` where a value has many words and few values come again, otherwise ``label``;
    ``kinds`` says it for single columns, ``{"size": "label", "title": "words"}``. Text becomes ``labels`` by
    being cut at ``|``. Item ids are whole numbers or text as in a click log, and as in ``ids_like`` where one
    is given. Missing facts are allowed. ``name`` is the column that people are shown in place of ids; if not
    given, a column of texts with a usual name is, such as ``name`` or ``title``.

    Reasons: ``null item_id``, ``non-finite item_id``, ``bad item_id``; ``non-finite NAME``, ``bad NAME`` (no
    number, where numbers are wanted), ``wrong length of NAME`` (another than most vectors of the column);
    ``duplicate item_id`` (the last row of an item is kept).

    Raises:
        SchemaError: a column is missing, or of a type that is no fact.
        ParameterError: ``kinds`` names no kind or no column, ``name`` no column of texts.
        ClickLogError: a file cannot be read.
        InputError: no row is left.

    >>> frame = pl.DataFrame({"item_id": [1, 2, 2, None], "brand": ["x", "y", "x", "x"]})
    >>> checked = check_items(frame)
    >>> checked.counts
    {'read': 4, 'kept': 2, 'rejected': 2, 'duplicate item_id': 1, 'null item_id': 1}
    >>> checked.kinds
    {'brand': 'label'}
    """
    if ids_like is not None and not isinstance(ids_like, Vocabulary):
        raise ParameterError(
            f"expected ids_like as a Vocabulary, got {shown(ids_like)}: a model's vocabulary_"
        )
    if isinstance(items, CheckedItems):
        return _with_ids_like(items, ids_like)
    if kinds is not None and not isinstance(kinds, Mapping):
        raise ParameterError(f"expected kinds as a dict, got {shown(kinds)}: write {{'title': 'words'}}")
    raw, untyped = _rows(items, word("item", item))
    given = {} if kinds is None else dict(kinds)
    found = kinds_of(raw.drop(ITEM), given, untyped=untyped)
    return checked_rows(raw, found, {}, ids_like, ledger, untyped).called(name)


def check_as(
    items: ItemsData,
    kinds: Mapping[str, str],
    widths: Mapping[str, int],
    ids_like: Vocabulary | None,
    name: str | None,
) -> CheckedItems:
    """Read facts of the columns, kinds, lengths of vectors and column of names that are known from others.

    Raises:
        SchemaError: a column is missing or unknown, or cannot be of its kind.
        InputError: no row is left.
    """
    if isinstance(items, CheckedItems):
        items = items.items
    raw, untyped = _rows(items, ITEM)
    if strange := sorted(set(raw.columns) ^ {ITEM, *kinds}):
        raise SchemaError(
            f"expected the columns {', '.join([ITEM, *kinds])}, which the model knows; missing or unknown: "
            f"{', '.join(strange[:5])}. What to do: give all the facts of an item, null where one is missing"
        )
    raw = raw.select(ITEM, *kinds)
    kinds = kinds_of(raw.drop(ITEM), kinds, untyped=untyped)
    return replace(checked_rows(raw, kinds, widths, ids_like, None, untyped), name=name)


def _rows(items: Source, item: str) -> tuple[pl.DataFrame, bool]:
    """The rows as they came, their ids under the house's name, and whether they are untyped text."""
    raw, untyped = scan(items)
    names = raw.collect_schema().names()
    found = item if item in names else synonym(ITEM, names) if item == ITEM else None
    if found is None:
        raise SchemaError(
            f"no column {item!r} for item_id. Found: {', '.join(names) or 'no columns'}. What to do: name "
            'the column of the item ids with item="..."'
        )
    if len(names) == 1:
        raise SchemaError(f"expected columns of facts beside {found!r}; found none")
    if found != ITEM and ITEM in names:
        raise ParameterError(f"item={item!r} and there is a column {ITEM!r} too. What to do: drop one")
    return collect(raw.rename({found: ITEM})), untyped


def checked_rows(
    raw: pl.DataFrame,
    kinds: dict[str, str],
    widths: Mapping[str, int],
    ids_like: Vocabulary | None,
    ledger: Ledger | None,
    untyped: bool,
) -> CheckedItems:
    """The usable rows of a frame whose columns' kinds are known."""
    ids, id_fault = _ids(raw[ITEM], ids_like, untyped=untyped)
    columns = {name: typed(raw[name], kind).alias(name) for name, kind in kinds.items()}
    faults = [id_fault, *(_fault(raw[name], columns[name], kind, widths) for name, kind in kinds.items())]
    reason = pl.DataFrame(faults).select(pl.coalesce(pl.all()).alias(REASON)).to_series()
    usable = ids.to_frame().select(pl.when(pl.lit(reason).is_null()).then(pl.col(ITEM)))
    again = usable.select(pl.col(ITEM).is_not_null() & ~pl.col(ITEM).is_last_distinct()).to_series()
    reason = reason.set(again, DUPLICATE)
    table = pl.DataFrame([ids, *columns.values()])
    kept = table if reason.null_count() == len(reason) else table.filter(reason.is_null())
    rejected = raw.with_columns(reason).filter(reason.is_not_null())
    counts = {"read": raw.height, "kept": kept.height, "rejected": rejected.height}
    found = rejected[REASON].value_counts().sort(REASON)
    counts |= {str(name): int(count) for name, count in found.iter_rows()}
    _tell(counts, pl.DataFrame([ids, reason]), notes_in(ledger))
    return CheckedItems(kept, kinds, rejected, counts)


def _ids(raw: pl.Series, like: Vocabulary | None, *, untyped: bool) -> tuple[pl.Series, pl.Series]:
    """Item ids as those of a click log, and why some are none."""
    wanted = None
    if like is not None and len(like):
        wanted = TEXT if like.ids.dtype == pl.String else WHOLE
    frame = raw.to_frame().lazy()
    asked = id_facts(ITEM, raw.dtype, untyped=untyped)
    facts = collect(frame.select(asked)).row(0, named=True) if asked else {}
    plan = id_plan(ITEM, raw.dtype, facts, wanted, untyped=untyped)
    ids = collect(frame.select(plan.value.alias(ITEM))).to_series()
    said = raw.cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
    nothing = said.is_null() | said.is_in((*NULL_WORDS, "nat"))
    odd = (
        pl.when(pl.lit(said.is_in(ODD_WORDS)))
        .then(pl.lit(f"non-finite {ITEM}"))
        .otherwise(pl.lit(f"bad {ITEM}"))
    )
    fault = pl.when(pl.lit(nothing)).then(pl.lit(f"null {ITEM}")).otherwise(odd)
    return ids, pl.select(pl.when(pl.lit(ids.is_null())).then(fault).alias(ITEM)).to_series()


def _fault(raw: pl.Series, values: pl.Series, kind: str, widths: Mapping[str, int]) -> pl.Series:
    """Why a value cannot be used, null where it can."""
    name = values.name
    tests: list[tuple[pl.Series, str]] = []
    if kind == NUMBER:
        missing = raw.is_null() if raw.dtype != pl.String else without_words(raw).is_null()
        tests = [(values.is_null() & ~missing, f"bad {name}"), (~values.is_finite(), f"non-finite {name}")]
    if kind == VECTOR:
        lengths = values.list.len()
        usual = lengths.drop_nulls().mode().max() or 0
        wrong = lengths != widths.get(name, usual)
        finite = values.list.eval(pl.element().is_finite().fill_null(value=False)).list.all()
        tests = [(wrong, f"wrong length of {name}"), (~finite, f"non-finite {name}")]
    reason: pl.Expr = pl.lit(None, pl.String)
    for broken, words in reversed(tests):
        reason = pl.when(pl.lit(broken.fill_null(value=False))).then(pl.lit(words)).otherwise(reason)
    nothing = pl.Series(name, [None], pl.String).new_from_index(0, len(values))
    return pl.select(reason.alias(name)).to_series() if tests else nothing


def _tell(counts: dict[str, int], rows: pl.DataFrame, ledger: Ledger) -> None:
    """Write what each reason took into the ledger, and say it.

    Raises:
        InputError: no row is left.
    """
    left = rows
    for name in list(counts)[3:]:
        smaller = left.filter(pl.col(REASON).ne_missing(name))
        ledger.record(name, *(Size(part.height, 0, part[ITEM].n_unique()) for part in (left, smaller)))
        left = smaller
    told = ", ".join(f"{name}: {count:,}" for name, count in list(counts.items())[3:])
    if not counts["kept"]:
        raise InputError(f"no item is left of {counts['read']:,} rows ({told or 'the file is empty'})")
    if told:
        log.warning("%d of %d rows about items are set aside (%s)", counts["rejected"], counts["read"], told)


def _with_ids_like(checked: CheckedItems, like: Vocabulary | None) -> CheckedItems:
    """Checked items whose ids are of the type of a vocabulary's."""
    found = checked.items.schema[ITEM]
    if like is None or not len(like) or found == like.ids.dtype:
        return checked
    if found == pl.Int64:
        return replace(checked, items=checked.items.with_columns(pl.col(ITEM).cast(pl.String)))
    raise SchemaError(
        "the log's item ids are whole numbers, those of the items are text: "
        f"{checked.items[ITEM].head(5).to_list()}. What to do: cast the column to whole numbers"
    )


def shuffle_facts(items: ItemsData, seed: int = 0) -> CheckedItems:
    """The facts dealt out to the items at random, each item's facts together: what a model gains from them
    is what facts as such are worth, and should be nothing.

    >>> checked = check_items({"item_id": [1, 2, 3], "size": [1, 2, 3]})
    >>> sorted(shuffle_facts(checked, seed=5).items["size"].to_list())
    [1.0, 2.0, 3.0]
    """
    checked = check_items(items)
    rng = np.random.default_rng(whole_number("seed", seed, 0))
    facts = checked.items.drop(ITEM)[rng.permutation(checked.items.height)]
    return replace(checked, items=checked.items.select(ITEM).hstack(facts), name=None)
