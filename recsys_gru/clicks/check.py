"""Checking clicks: rows that cannot be used are set aside with the rule they broke, counted, never lost."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from recsys_gru.clicks.believable import Limits, time_limits
from recsys_gru.clicks.frames import (
    AS_READ,
    ITEM,
    KIND,
    ORDER,
    SESSION,
    TIME,
    USER,
    Frame,
    key_columns,
    lazy,
)
from recsys_gru.clicks.ids import NULL_WORDS, ODD_WORDS
from recsys_gru.clicks.ledger import Ledger, Tally, notes_in
from recsys_gru.clicks.order import by_hash, by_item, in_runs, item_steps, sorted_rows, tied
from recsys_gru.clicks.read import read_clicks, was_read
from recsys_gru.clicks.scan import collect
from recsys_gru.clicks.sessionize import reused_ids

log = logging.getLogger("recsys_gru")

REASON = "reason"
NOT_A_CLICK, DUPLICATE = "not a click", "duplicate"
FAR_TIME, NO_CLOCK = "time far outside the log", "time of an unset clock"
TIED_LIMIT = 0.2
"""The share of tied neighbours above which there is a warning."""
BY_ITEM = (
    "clicks of equal time lie in the order of their items, not as they were made: they are put in an order "
    "that means nothing. Name a column that says it (order=), or log finer times"
)


@dataclass(frozen=True)
class CheckedClicks:
    """The usable clicks and what was set aside.

    Attributes:
        clicks: usable rows with their columns named, sorted by session (or user) and time; equal times as
            they came, or by the column ``click_order`` where there is one.
        rejected: the other rows as they came, with the column ``reason``.
        counts: rows ``read``, ``kept`` and ``rejected`` (their sum), then rows by reason.
        warnings: what is odd about the usable rows, in words.
    """

    clicks: pl.LazyFrame
    rejected: pl.DataFrame
    counts: dict[str, int]
    warnings: tuple[str, ...] = ()


def check_clicks(clicks: Frame, ledger: Ledger | None = None, context: Sequence[str] = ()) -> CheckedClicks:
    """Set aside rows with null or non-finite fields, unreadable or far-off times, and exact duplicates (one
    is kept).

    Reasons: ``null item_id``, ``non-finite item_id``, ``bad item_id`` (the same for session_id, user_id and
    time), ``time of an unset clock`` (away from the log in the first days of 1970, or one same time),
    ``time far outside the log`` (further from the middle 98 % of the clicks than a year and ten times
    their span), ``duplicate``, and for published logs ``not a click``. Rows kept and rejected add up to the
    rows read. The log is held in memory; for larger ones there is ``prepare``. ``context`` names columns as
    in ``read_clicks``; clicks that differ in them alone are duplicates.

    Raises:
        SchemaError: a column is missing.
        ClickLogError: a file breaks half-way.

    >>> raw = pl.DataFrame({"session_id": [1, 1, 1, None], "item_id": ["a", "b", "b", "c"]})
    >>> raw = raw.with_columns(time=pl.Series([5, 6, 6, 7]))
    >>> checked = check_clicks(raw)
    >>> checked.counts
    {'read': 4, 'kept': 2, 'rejected': 2, 'duplicate': 1, 'null session_id': 1}
    """
    notes_in(ledger)
    rows = collect(ready(clicks, context))
    kept, bad = sieve(rows, time_limits(rows.lazy()))
    kept, warnings = _looked_at(kept)
    rejected = as_they_came(bad)
    reasons = rejected[REASON].value_counts().sort(REASON)
    counts = {"read": rows.height, "kept": kept.height, "rejected": rejected.height}
    if ledger is not None:
        _note(ledger, pl.concat([kept, bad], how="diagonal"))
    for warning in warnings:
        log.warning("%s", warning)
    used = [*used_columns(rows.lazy()), *(name for name in kept.columns if name == ORDER)]
    told = [name for name in kept.columns if name not in (*used, KIND) and not name.endswith(AS_READ)]
    usable = kept.lazy().select(*used, *told)
    return CheckedClicks(
        usable, rejected, counts | {str(reason): int(n) for reason, n in reasons.iter_rows()}, warnings
    )


def _looked_at(kept: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The usable rows, those of equal time in no order where theirs is that of the items; and warnings."""
    owner = key_columns(kept.lazy())[0]
    warnings = []
    if by_item(item_steps(kept, owner)):
        warnings.append(BY_ITEM)
        kept = by_hash(kept, owner)
    follows = (pl.col(owner) == pl.col(owner).shift()).sum()  # rows of one owner lie together
    share = float(np.count_nonzero(tied(kept, owner))) / max(1, kept.select(follows).item())
    if share > TIED_LIMIT and ORDER not in kept.columns:
        warnings.append(tied_warning(share))
    if owner == SESSION and (reused := reused_ids(kept)) is not None:
        warnings.append(reused)
    return kept, tuple(warnings)


def tied_warning(share: float) -> str:
    """What to say of a log in which this share of neighbouring clicks have one time."""
    return (
        f"{share:.0%} of the neighbouring clicks of a session have the same time: their order is that of the "
        "rows, and may be no order at all. Log finer times, or name a column that tells the order (order=)"
    )


def ready(clicks: Frame, context: Sequence[str] = ()) -> pl.LazyFrame:
    """The frame as read_clicks gives it; one that does not come from there goes through it now."""
    frame = lazy(clicks)
    names = frame.collect_schema().names()
    if was_read(frame) or any(name.endswith(AS_READ) for name in names):
        return frame
    return read_clicks(frame, user=USER if USER in names else None, context=context)


def check_rules(frame: pl.LazyFrame) -> list[str]:
    """The rules of ``check_clicks`` in the order in which a row is held against them."""
    fields = [f"{fault} {name}" for name in used_columns(frame) for fault in ("null", "non-finite", "bad")]
    first = [NOT_A_CLICK] if KIND in frame.collect_schema() else []
    return [*first, *fields, NO_CLOCK, FAR_TIME, DUPLICATE]


def used_columns(frame: pl.LazyFrame) -> list[str]:
    """The columns of a checked log: ids and time."""
    return [*key_columns(frame), ITEM, TIME]


def sieve(rows: pl.DataFrame, limits: Limits) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The usable rows, sorted, and the others with the first rule each one breaks in ``reason``."""
    used = used_columns(rows.lazy())
    ordered = sorted_rows(rows, used[0])
    unread = pl.any_horizontal(pl.col(used).is_null())
    far, no_clock = limits.far(), limits.no_clock()
    again = _again(ordered, used)
    broken = ordered.select((unread | far | no_clock).fill_null(value=False)).to_series() | again
    kind = [pl.when(pl.col(KIND).is_not_null()).then(pl.lit(NOT_A_CLICK))] if KIND in rows.columns else []
    rules = [
        *kind,
        *(_field_reason(name, rows.columns) for name in used),
        pl.when(no_clock).then(pl.lit(NO_CLOCK)),
        pl.when(far).then(pl.lit(FAR_TIME)),
    ]
    reason = pl.coalesce(*rules, pl.lit(DUPLICATE)).alias(REASON)
    bad = ordered.filter(broken).with_columns(reason)
    bad = bad.sort(used[0], TIME, ITEM, nulls_last=True, maintain_order=True)
    return (ordered.filter(~broken) if bad.height else ordered), bad


def _again(ordered: pl.DataFrame, used: list[str]) -> pl.Series:
    """Whether the same click stands in an earlier row; only rows of equal time can be."""
    follows = tied(ordered, used[0])
    if not follows.any():
        return follows
    places = np.flatnonzero(in_runs(follows).to_numpy())
    first = ordered[places].select(pl.struct(used).is_first_distinct()).to_series()
    found = np.zeros(ordered.height, dtype=np.bool_)
    found[places] = ~first.to_numpy()
    return pl.Series(found)


def _field_reason(name: str, names: list[str]) -> pl.Expr:
    missing = pl.lit(f"null {name}")
    if name + AS_READ in names:
        raw = pl.col(name + AS_READ).str.strip_chars().str.to_lowercase()
        odd = (
            pl.when(raw.is_in(ODD_WORDS)).then(pl.lit(f"non-finite {name}")).otherwise(pl.lit(f"bad {name}"))
        )
        missing = pl.when(raw.is_null() | raw.is_in(NULL_WORDS)).then(missing).otherwise(odd)
    return pl.when(pl.col(name).is_null()).then(missing)


def as_they_came(rejected: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows with each value as it was read, where reading could not make sense of some."""
    raw = [name for name in rejected.columns if name.endswith(AS_READ)]
    return rejected.with_columns(pl.col(name).alias(name.removesuffix(AS_READ)) for name in raw).drop(raw)


def _note(ledger: Ledger, rows: pl.DataFrame) -> None:
    tally = Tally(check_rules(rows.lazy()))
    tally.add(rows.select(pl.col(key_columns(rows.lazy())[0]).alias(SESSION), ITEM, REASON))
    for entry in tally.ledger():
        ledger.record(entry.rule, entry.before, entry.after)
