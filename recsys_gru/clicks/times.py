"""Times of any make to UTC: epoch numbers of any unit, ISO text, datetimes with and without a zone."""

from collections.abc import Iterable

import polars as pl

from recsys_gru.clicks.frames import UTC_TIME
from recsys_gru.errors import ParameterError, SchemaError

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_UPPER_EDGE = {"s": 1e11, "ms": 1e14, "us": 1e17}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999
ZONED_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
NAIVE_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d",
)
TEXT_FORMATS = ZONED_FORMATS + NAIVE_FORMATS


def number_of_text(text: pl.Expr) -> pl.Expr:
    """Text as a float where it is a number, null elsewhere."""
    return text.str.strip_chars().cast(pl.Float64, strict=False)


def unit_votes(number: pl.Expr) -> list[pl.Expr]:
    """How many values look like seconds, milliseconds, microseconds and nanoseconds since 1970, by size."""
    size = number.cast(pl.Float64).abs()
    votes, below = [], pl.lit(value=False)
    for unit, edge in _UPPER_EDGE.items():
        inside = size < edge
        votes.append((inside & ~below).sum().alias(f"votes_{unit}"))
        below = inside
    return [*votes, (size.is_finite() & ~below).sum().alias("votes_ns")]


def fits(low: float | None, high: float | None, unit: str) -> bool:
    """Whether numbers from ``low`` to ``high`` (None: there are none) lie in the years 1 to 9999."""
    if low is None or high is None:
        return True
    return low >= _FIRST_SECOND * UNITS[unit] and high <= _LAST_SECOND * UNITS[unit]


def elected(votes: dict[str, float]) -> str:
    """The unit most values look like; the coarser one where two are even."""
    return max(UNITS, key=lambda unit: votes.get(f"votes_{unit}", 0))


def from_epoch(number: pl.Expr, unit: str, *, whole: bool) -> pl.Expr:
    """Numbers since 1970 as UTC; beyond the years 1 to 9999 null."""
    if unit not in UNITS:
        raise ParameterError(f"time_unit must be one of {', '.join(UNITS)}; got {unit!r}")
    per_second = UNITS[unit]
    inside = number.is_between(_FIRST_SECOND * per_second, _LAST_SECOND * per_second)
    safe = pl.when(inside).then(number)  # also NaN and infinity give null
    if unit == "ns":
        micros = safe.cast(pl.Int64) // 1_000
    elif whole:
        micros = safe.cast(pl.Int64) * (1_000_000 // per_second)
    else:
        micros = (safe * (1_000_000 // per_second)).round().cast(pl.Int64)
    return micros.cast(UTC_TIME)


def in_utc(naive: pl.Expr, time_zone: str) -> pl.Expr:
    """Wall-clock times of a zone as UTC.

    An hour that the clock shows twice is taken as its first pass, an hour that the clock skips gives null.
    """
    local = naive.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").cast(UTC_TIME)


def from_text(text: pl.Expr, time_format: str, time_zone: str) -> pl.Expr:
    """Text in one format as UTC, null where it is not in that format."""
    clean = text.str.strip_chars().str.replace(r"\s*(UTC|GMT)$", "Z")
    parsed = clean.str.to_datetime(time_format, time_unit="us", strict=False)
    return parsed.cast(UTC_TIME) if time_format in ZONED_FORMATS else in_utc(parsed, time_zone)


def from_datetime(value: pl.Expr, kind: pl.DataType, time_zone: str) -> pl.Expr:
    """Datetimes and dates as UTC: those with a zone converted, those without taken as of ``time_zone``."""
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return value.dt.convert_time_zone("UTC").cast(UTC_TIME)
    return in_utc(value.cast(pl.Datetime("us")), time_zone)


def to_utc(
    value: pl.Expr, kind: pl.DataType, *, unit: str, time_zone: str, formats: Iterable[str] = TEXT_FORMATS
) -> pl.Expr:
    """The expression that makes a time column UTC; null where a value is no time.

    Raises:
        SchemaError: the column is neither a number, text nor a datetime.
    """
    if kind.is_integer():
        return from_epoch(value, unit, whole=True)
    if kind.is_float():
        return from_epoch(value, unit, whole=False)
    if isinstance(kind, (pl.Datetime, pl.Date)):
        return from_datetime(value, kind, time_zone)
    if kind == pl.String:
        number = from_epoch(number_of_text(value), unit, whole=False)
        return pl.coalesce([from_text(value, text_format, time_zone) for text_format in formats] + [number])
    raise SchemaError(f"expected times as numbers, text or datetimes; the time column is {kind}")
