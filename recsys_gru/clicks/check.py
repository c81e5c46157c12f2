"""Checking clicks: rows that cannot be used are set aside with the rule they broke, counted, never lost."""

from dataclasses import dataclass

import polars as pl

from recsys_gru.clicks.frames import (
    AS_READ,
    ITEM,
    KIND,
    SESSION,
    TIME,
    USER,
    UTC_TIME,
    Frame,
    key_columns,
    lazy,
)
from recsys_gru.clicks.ledger import Ledger, Tally
from recsys_gru.clicks.order import sorted_rows
from recsys_gru.clicks.read import read_clicks
from recsys_gru.clicks.scan import collect

REASON = "reason"
NOT_A_CLICK, DUPLICATE = "not a click", "duplicate"
FAR_TIME = "time far outside the log"
_ODD_WORDS = ("nan", "inf", "+inf", "-inf", "infinity", "-infinity")
_NULL_WORDS = ("null", "none", "na", "n/a")
_EDGE, _FEW = 100, 10  # at each end one click in a hundred, or one of ten or more, may be astray
_LEAST_MARGIN_DAYS = 366
_DAY = 86_400_000_000


@dataclass(frozen=True)
class CheckedClicks:
    """The usable clicks and what was set aside.

    Attributes:
        clicks: usable rows with their columns named, sorted by session (or user), time and item.
        rejected: the other rows as they came, with the column ``reason``.
        counts: rows ``read``, ``kept`` and ``rejected`` (their sum), then rows by reason.
    """

    clicks: pl.LazyFrame
    rejected: pl.DataFrame
    counts: dict[str, int]


def check_clicks(clicks: Frame, ledger: Ledger | None = None) -> CheckedClicks:
    """Set aside rows with null or non-finite fields, unreadable or far-off times, and exact duplicates (one
    is kept).

    Reasons: ``null item_id``, ``non-finite item_id``, ``bad item_id`` (the same for session_id, user_id and
    time), ``time far outside the log`` (further from the middle 98 % of the clicks than a year and ten times
    their span), ``duplicate``, and for published logs ``not a click``. Rows kept and rejected add up to the
    rows read. The log is held in memory; for larger ones there is ``prepare``.

    Raises:
        SchemaError: a column is missing.
        ClickLogError: a file breaks half-way.

    >>> raw = pl.DataFrame({"session_id": [1, 1, 1, None], "item_id": ["a", "b", "b", "c"]})
    >>> raw = raw.with_columns(time=pl.Series([5, 6, 6, 7]))
    >>> checked = check_clicks(raw)
    >>> checked.counts
    {'read': 4, 'kept': 2, 'rejected': 2, 'duplicate': 1, 'null session_id': 1}
    """
    rows = collect(ready(lazy(clicks)))
    kept, bad = sieve(rows, time_limits(rows.lazy()))
    rejected = as_they_came(bad)
    reasons = rejected[REASON].value_counts().sort(REASON)
    counts = {"read": rows.height, "kept": kept.height, "rejected": rejected.height}
    if ledger is not None:
        _note(ledger, pl.concat([kept, bad], how="diagonal"))
    usable = kept.lazy().select(used_columns(rows.lazy()))
    return CheckedClicks(
        usable, rejected, counts | {str(reason): int(n) for reason, n in reasons.iter_rows()}
    )


def ready(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame as read_clicks gives it; one that does not come from there goes through it now."""
    schema = frame.collect_schema()
    ids = [name for name in (SESSION, USER, ITEM) if name in schema]
    read_before = len(ids) > 1 and ITEM in ids and schema.get(TIME) == UTC_TIME
    if read_before and not any(schema[name].is_float() for name in ids):
        return frame
    return read_clicks(frame, user=USER if USER in ids else None)


def check_rules(frame: pl.LazyFrame) -> list[str]:
    """The rules of ``check_clicks`` in the order in which a row is held against them."""
    fields = [f"{fault} {name}" for name in used_columns(frame) for fault in ("null", "non-finite", "bad")]
    first = [NOT_A_CLICK] if KIND in frame.collect_schema() else []
    return [*first, *fields, FAR_TIME, DUPLICATE]


def used_columns(frame: pl.LazyFrame) -> list[str]:
    """The columns of a checked log: ids and time."""
    return [*key_columns(frame), ITEM, TIME]


def sort_columns(frame: pl.LazyFrame) -> list[str]:
    """An order that does not depend on the order of the rows that came."""
    names = frame.collect_schema().names()
    owner, *others = key_columns(frame)
    return [owner, TIME, ITEM, *others, *(name for name in names if name.endswith(AS_READ))]


def time_limits(frame: pl.LazyFrame) -> tuple[int, int]:
    """The first and last believable time in microseconds since 1970.

    They are the days of the middle 98 % of the clicks, widened by a year or ten times their span, whichever
    is more. One number per day is all that is kept, so a log of any size can be asked.
    """
    day = (pl.col(TIME).dt.epoch("us") // _DAY).alias("day")
    if KIND in frame.collect_schema():
        frame = frame.filter(pl.col(KIND).is_null())
    days = collect(frame.filter(pl.col(TIME).is_not_null()).group_by(day).agg(pl.len().alias("n"))).sort(
        "day"
    )
    if days.is_empty():
        return 0, 0
    clicks, so_far = int(days["n"].sum()), days["n"].cum_sum()
    edge = max(clicks // _EDGE, int(clicks >= _FEW))
    first, last = (int(days["day"][int(so_far.search_sorted(place))]) for place in (edge + 1, clicks - edge))
    margin = max(_LEAST_MARGIN_DAYS, 10 * (last - first))
    return (first - margin) * _DAY, (last + 1 + margin) * _DAY


def sieve(rows: pl.DataFrame, limits: tuple[int, int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The usable rows, sorted, and the others with the first rule each one breaks in ``reason``."""
    used = used_columns(rows.lazy())
    ordered = sorted_rows(rows, sort_columns(rows.lazy()))  # equal rows lie side by side now
    unread = pl.any_horizontal(pl.col(used).is_null())
    far = ~pl.col(TIME).dt.epoch("us").is_between(*limits)
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in used)
    broken = ordered.select((unread | far | again).fill_null(value=False)).to_series()
    kind = [pl.when(pl.col(KIND).is_not_null()).then(pl.lit(NOT_A_CLICK))] if KIND in rows.columns else []
    rules = [
        *kind,
        *(_field_reason(name, rows.columns) for name in used),
        pl.when(far).then(pl.lit(FAR_TIME)),
    ]
    reason = pl.coalesce(*rules, pl.lit(DUPLICATE)).alias(REASON)
    bad = ordered.filter(broken).with_columns(reason)
    return (ordered.filter(~broken) if bad.height else ordered), bad


def _field_reason(name: str, names: list[str]) -> pl.Expr:
    missing = pl.lit(f"null {name}")
    if name + AS_READ in names:
        raw = pl.col(name + AS_READ).str.strip_chars().str.to_lowercase()
        odd = (
            pl.when(raw.is_in(_ODD_WORDS)).then(pl.lit(f"non-finite {name}")).otherwise(pl.lit(f"bad {name}"))
        )
        missing = pl.when(raw.is_null() | raw.is_in(_NULL_WORDS)).then(missing).otherwise(odd)
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
