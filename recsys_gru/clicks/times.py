"""Times of any make to UTC: epoch numbers of any unit, dates written as numbers, text, datetimes with and
without a zone.
"""

import difflib
import zoneinfo
from collections.abc import Iterable
from datetime import datetime

import polars as pl

from recsys_gru.clicks.frames import UTC_TIME
from recsys_gru.errors import ParameterError, SchemaError

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
COMPACT = "compact"
"""What stands in the place of a unit where numbers are dates: 20260301, 2026030112, 202603011230,
20260301123059."""
_UPPER_EDGE = {"s": 1e11, "ms": 1e14, "us": 1e17}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999
_LARGEST = (1 << 63) - 1
_A_DAY = 86_400
_DATES, _HOURS = (19_000_101, 21_001_231), 24
_COMPACT_FORMATS = ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d")
_HOUR_DIGITS = 10  # 2026030112, to which minutes are added before it is read
_MOST = 0.5  # of the numbers must be dates: of any others one in thirty looks like one
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
_ZONED_CODES = ("%z", "%:z", "%#z", "%+", "%s")
TEXT_FORMATS = ZONED_FORMATS + NAIVE_FORMATS


def require_known(unit: str | None, zone: str, time_format: str | None) -> None:
    """Stop, before anything is read, at a unit, zone or format that there is not.

    Raises:
        ParameterError: one of them is unknown.
    """
    if unit is not None and unit not in tuple(UNITS):
        raise ParameterError(f"time_unit must be one of {', '.join(UNITS)}; got {unit!r}")
    if not isinstance(zone, str) or not _is_zone(zone):
        near = difflib.get_close_matches(str(zone), zoneinfo.available_timezones(), n=3)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise ParameterError(f"expected time_zone as a zone such as Europe/Berlin; got {zone!r}{hint}")
    if time_format is not None and not _reads_what_it_writes(time_format):
        raise ParameterError(
            f"expected time_format as codes that tell day, month and year, such as %d.%m.%Y %H:%M; got "
            f"{time_format!r}"
        )


def _is_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _reads_what_it_writes(time_format: object) -> bool:
    if not isinstance(time_format, str):
        return False
    moment = pl.Series([datetime(2026, 3, 14)]).dt.replace_time_zone("UTC")
    try:
        text = moment.dt.strftime(time_format)
        read = text.str.to_datetime(time_format, time_unit="us", strict=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return False
    return read.dt.date().to_list() == [moment[0].date()]


def number_of_text(text: pl.Expr) -> pl.Expr:
    """Text as a float where it is a number, null elsewhere."""
    return text.str.strip_chars().cast(pl.Float64, strict=False)


def unit_votes(number: pl.Expr) -> list[pl.Expr]:
    """How many values look like seconds, milliseconds, microseconds and nanoseconds since 1970, by size, and
    how many like dates.
    """
    number = number.cast(pl.Float64)
    size = number.abs()
    votes, below = [_is_date(number).sum().alias("dates")], pl.lit(value=False)
    for unit, edge in _UPPER_EDGE.items():
        inside = size < edge
        votes.append((inside & ~below).sum().alias(f"votes_{unit}"))
        below = inside
    return [*votes, (size.is_finite() & ~below).sum().alias("votes_ns")]


def _is_date(number: pl.Expr) -> pl.Expr:
    """Whether a number is a date such as 20260301, also with hours and minutes or seconds."""
    day = pl.coalesce(
        pl.when(number.is_between(low * scale, (high + 1) * scale)).then((number / scale).floor())
        for scale in (1, 100, 10**4, 10**6)
        for low, high in [_DATES]
    )
    month_fits = (day / 100).floor() % 100
    # seconds of the years 2030 to 2036 are as long as a date with its hour: most are none of a day's hours
    hour_fits = ~number.is_between(_DATES[0] * 100, (_DATES[1] + 1) * 100) | (number % 100 < _HOURS)
    fits_all = month_fits.is_between(1, 12) & (day % 100).is_between(1, 31) & hour_fits
    return fits_all & (number == number.floor())


def fits(low: float | None, high: float | None, unit: str) -> bool:
    """Whether numbers from ``low`` to ``high`` (None: there are none) lie in the years 1 to 9999."""
    if low is None or high is None:
        return True
    first, last = _range(unit)
    return low >= first and high <= last


def _range(unit: str) -> tuple[int, int]:
    """The first and last number of a unit that is a time."""
    per_second = UNITS[unit]
    # a float that is not below 2^63 cannot become a whole number
    return (
        max(_FIRST_SECOND * per_second, -_LARGEST + 1023),
        min(_LAST_SECOND * per_second, _LARGEST - 1023),
    )


def elected(votes: dict[str, float]) -> str:
    """The unit most values look like; the coarser one where two are even; ``COMPACT`` where they are
    dates.
    """
    numbers = sum(count for name, count in votes.items() if name.startswith("votes_"))
    if numbers and votes.get("dates", 0) >= _MOST * numbers:
        return COMPACT
    return max(UNITS, key=lambda unit: votes.get(f"votes_{unit}", 0))


def from_epoch(number: pl.Expr, unit: str, *, whole: bool) -> pl.Expr:
    """Numbers since 1970 as UTC; beyond the years 1 to 9999 null."""
    number = number.cast(pl.Int64, strict=False) if whole else number.cast(pl.Float64)
    safe = pl.when(number.is_between(*_range(unit))).then(number)  # also NaN and infinity give null
    if unit == "ns":
        micros = safe.cast(pl.Int64) // 1_000
    elif whole:
        micros = safe.cast(pl.Int64) * (1_000_000 // UNITS[unit])
    else:
        micros = (safe * (1_000_000 // UNITS[unit])).round().cast(pl.Int64)
    return micros.cast(UTC_TIME)


def from_dates(number: pl.Expr, time_zone: str) -> pl.Expr:
    """Dates written as numbers, as UTC; null where a number is no date."""
    dates = pl.when(_is_date(number.cast(pl.Float64))).then(number).cast(pl.Int64, strict=False)
    text = dates.cast(pl.String)
    text = pl.when(text.str.len_bytes() == _HOUR_DIGITS).then(text + "00").otherwise(text)
    parsed = [text.str.to_datetime(one, time_unit="us", strict=False) for one in _COMPACT_FORMATS]
    return in_utc(pl.coalesce(parsed), time_zone)


def in_utc(naive: pl.Expr, time_zone: str) -> pl.Expr:
    """Wall-clock times of a zone as UTC.

    An hour that the clock shows twice is taken as its first pass, an hour that the clock skips gives null.
    """
    local = naive.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").cast(UTC_TIME)


def from_text(text: pl.Expr, time_format: str, time_zone: str) -> pl.Expr:
    """Text in one format as UTC, null where it is not in that format."""
    clean = text.str.strip_chars()
    if time_format in TEXT_FORMATS:
        clean = clean.str.replace(r"\s*(UTC|GMT)$", "Z")
    parsed = clean.str.to_datetime(time_format, time_unit="us", strict=False)
    zoned = time_format in ZONED_FORMATS or any(code in time_format for code in _ZONED_CODES)
    return parsed.cast(UTC_TIME) if zoned else in_utc(parsed, time_zone)


def in_years(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Whether a date or datetime lies in the years 1 to 9999."""
    per_second = UNITS[kind.time_unit] if isinstance(kind, pl.Datetime) else 1 / _A_DAY
    low, high = ((_FIRST_SECOND + _A_DAY) * per_second, (_LAST_SECOND - _A_DAY) * per_second)
    limits = max(int(low), -_LARGEST), min(int(high), _LARGEST)
    return value.to_physical().cast(pl.Int64).is_between(*limits)


def from_datetime(value: pl.Expr, kind: pl.DataType, time_zone: str) -> pl.Expr:
    """Datetimes and dates as UTC: those with a zone converted, those without taken as of ``time_zone``;
    beyond the years 1 to 9999 null.
    """
    safe = pl.when(in_years(value, kind)).then(value)
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return safe.dt.convert_time_zone("UTC").cast(UTC_TIME)
    return in_utc(safe.cast(pl.Datetime("us")), time_zone)


def as_read(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Values as text, as they came; dates that no calendar has as the number that they are."""
    if isinstance(kind, (pl.Datetime, pl.Date)):
        written = pl.when(in_years(value, kind)).then(value).cast(pl.String)
        return pl.coalesce(written, value.to_physical().cast(pl.String))
    return value.cast(pl.String)


def to_utc(
    value: pl.Expr, kind: pl.DataType, *, unit: str, time_zone: str, formats: Iterable[str] = TEXT_FORMATS
) -> pl.Expr:
    """The expression that makes a time column UTC; null where a value is no time.

    Raises:
        SchemaError: the column is neither a number, text nor a datetime.
    """
    if kind.is_numeric():
        return _of_number(value, unit, time_zone, whole=kind.is_integer())
    if isinstance(kind, (pl.Datetime, pl.Date)):
        return from_datetime(value, kind, time_zone)
    if kind == pl.String:
        number = _of_number(number_of_text(value), unit, time_zone, whole=False)
        return pl.coalesce([from_text(value, text_format, time_zone) for text_format in formats] + [number])
    if kind == pl.Null:  # a column without a value tells no type
        return value.cast(UTC_TIME)
    raise SchemaError(f"expected times as numbers, text or datetimes; the time column is {kind}")


def _of_number(number: pl.Expr, unit: str, time_zone: str, *, whole: bool) -> pl.Expr:
    if unit == COMPACT:
        return from_dates(number, time_zone)
    return from_epoch(number, unit, whole=whole)
