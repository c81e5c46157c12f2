"""Reading a click log: columns found and named, ids kept as int or text, times made UTC."""

import difflib
import logging
from dataclasses import dataclass

import polars as pl

from recsys_gru.clicks import times
from recsys_gru.clicks.adapters import scan_published
from recsys_gru.clicks.frames import AS_READ, ITEM, KIND, SESSION, TIME, USER
from recsys_gru.clicks.scan import Source, collect, damaged, scan
from recsys_gru.errors import ClickLogError, SchemaError
from recsys_gru.forked import need_threads

log = logging.getLogger("recsys_gru")

_SYNONYMS = {
    SESSION: ("sessionid", "session", "sid", "sessionidhash", "usersession", "visitid", "visit"),
    ITEM: ("itemid", "item", "productid", "product", "productskuhash", "articleid", "aid", "sku", "asin"),
    TIME: (
        "time",
        "timestamp",
        "ts",
        "datetime",
        "eventtime",
        "date",
        "createdat",
        "clicktimestamp",
        "unixtime",
    ),
    USER: ("userid", "user", "visitorid", "visitor", "uid", "clientid", "customerid"),
}
_NOT_A_NUMBER = ("nan", "inf", "+inf", "-inf", "infinity", "-infinity", "null", "none", "na", "n/a")
_WHOLE = r"^\s*-?(0|[1-9]\d{0,17})(\.0+)?\s*$"


def read_clicks(
    source: Source,
    *,
    session: str = SESSION,
    item: str = ITEM,
    time: str | None = None,
    user: str | None = None,
    format: str | None = None,  # noqa: A002 - the word users expect
    time_unit: str | None = None,
    time_zone: str = "UTC",
) -> pl.LazyFrame:
    """Scan a click log as a LazyFrame with the columns session_id, item_id, time (UTC, microseconds) and
    user_id if asked for.

    ``source`` is a path, folder, glob, list of paths, Polars or pandas frame. Columns of the usual names are
    found by themselves. Ids stay whole numbers or text. Numbers as times count from 1970; their unit is
    found from their size unless ``time_unit`` names it. ``format`` reads a published file (yoochoose,
    diginetica, retailrocket, otto, globo, rees46, coveo, lastfm-1k) without naming columns. Times without a
    zone are of ``time_zone``. No row is dropped: a value that cannot be read is null and kept as it came in
    a column such as ``time_as_read``, which check_clicks takes up; so does the item of a row of a published
    log that is no click, a purchase say.

    Raises:
        SchemaError: a column is missing, or files differ in their columns.
        ClickLogError: a file cannot be read.

    >>> raw = pl.DataFrame({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": [1590884413, 1590884420]})
    >>> read_clicks(raw).collect().row(1)
    (1, 'b', datetime.datetime(2020, 5, 31, 0, 20, 20, tzinfo=zoneinfo.ZoneInfo(key='UTC')))
    """
    need_threads("read_clicks")
    if format is not None:
        log_rows, untyped = scan_published(source, format)
    else:
        raw, untyped = scan(source)
        wanted = {SESSION: session, ITEM: item, TIME: time, USER: user}
        names = _find_columns(raw.collect_schema().names(), wanted)
        log_rows = raw.select(pl.col(found).alias(name) for name, found in names.items())
    is_click = pl.col(KIND).is_null() if KIND in log_rows.collect_schema() else None
    try:
        plans = _plans(
            log_rows.drop(KIND, strict=False), untyped=untyped, time_unit=time_unit, time_zone=time_zone
        )
    except ClickLogError as error:
        raise ClickLogError(f"{error}{damaged(source)}") from error
    if is_click is not None:
        plans[ITEM] = _Plan(pl.when(is_click).then(plans[ITEM].value), lossy=True)
    return log_rows.select(
        *(plan.value.alias(name) for name, plan in plans.items()),
        *(pl.col(name).cast(pl.String).alias(name + AS_READ) for name, plan in plans.items() if plan.lossy),
        *([pl.col(KIND)] if is_click is not None else []),
    )


@dataclass(frozen=True)
class _Plan:
    """How one column is read, and whether some values cannot be."""

    value: pl.Expr
    lossy: bool


def _find_columns(found: list[str], wanted: dict[str, str | None]) -> dict[str, str]:
    names = {}
    for role, name in wanted.items():
        if name in found:
            names[role] = str(name)
        elif role == USER and name is None:
            continue
        elif name is None or name == role:
            match = _synonym(role, found)
            if match is not None:
                names[role] = match
    if USER in names and SESSION not in names:
        wanted = {role: name for role, name in wanted.items() if role != SESSION}
    missing = {
        role: name or role for role, name in wanted.items() if role not in names and (role != USER or name)
    }
    if missing:
        raise SchemaError(_missing_message(missing, found))
    return names


def _synonym(role: str, found: list[str]) -> str | None:
    plain = {"".join(c for c in name.lower() if c.isalnum()): name for name in reversed(found)}
    return next((plain[name] for name in _SYNONYMS[role] if name in plain), None)


def has_time(names: list[str]) -> bool:
    """Whether one of these columns would be read as the time."""
    return _synonym(TIME, names) is not None


def _missing_message(missing: dict[str, str], found: list[str]) -> str:
    parts = []
    for role, name in missing.items():
        near = difflib.get_close_matches(name, found, n=3, cutoff=0.5)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        parts.append(f"no column {name!r} for {role}{hint}")
    advice = "name the columns with session=, item=, time="
    if SESSION in missing:
        advice += "; for a log of users without sessions give user= and call sessionize"
    if len(found) == 1:
        advice += "; the log has one column only: is the file separated by something else than , ; | or tab?"
    return f"{'; '.join(parts)}. Found: {', '.join(found) or 'no columns'}. What to do: {advice}"


def _plans(rows: pl.LazyFrame, *, untyped: bool, time_unit: str | None, time_zone: str) -> dict[str, _Plan]:
    schema = rows.collect_schema()
    facts = _probe(rows, schema, untyped=untyped, time_zone=time_zone)
    plans = {}
    for name, kind in schema.items():
        if name == TIME:
            plans[name] = _time_plan(kind, facts, time_unit, time_zone)
        else:
            plans[name] = _id_plan(name, kind, facts, untyped=untyped)
    return plans


def _probe(rows: pl.LazyFrame, schema: pl.Schema, *, untyped: bool, time_zone: str) -> dict[str, float]:
    """Facts about whole columns, so that neither types nor units depend on which rows come first: one
    pass.
    """
    wanted: list[pl.Expr] = []
    for name, kind in schema.items():
        column = pl.col(name)
        if name == TIME:
            wanted += _time_facts(column, kind, time_zone)
        elif kind == pl.String and untyped:
            word = column.str.strip_chars().str.to_lowercase().is_in(_NOT_A_NUMBER)
            whole = column.str.contains(_WHOLE)
            wanted.append(whole.sum().alias(f"{name}_whole"))
            wanted.append((~whole & word).sum().alias(f"{name}_bad"))
            wanted.append((~whole & ~word).sum().alias(f"{name}_text"))
        elif kind.is_float():
            wanted.append((column != column.floor()).fill_null(value=False).sum().alias(f"{name}_bad"))
            wanted.append((~column.is_finite()).sum().alias(f"{name}_odd"))
    if not wanted:
        return {}
    return collect(rows.select(wanted)).row(0, named=True)


def _time_facts(column: pl.Expr, kind: pl.DataType, time_zone: str) -> list[pl.Expr]:
    if kind.is_numeric():
        return [*times.unit_votes(column), *_range_facts(column.cast(pl.Float64))]
    if kind == pl.String:
        number = times.number_of_text(column)
        parsed = {f: times.from_text(column, f, time_zone).is_not_null() for f in times.TEXT_FORMATS}
        read = pl.any_horizontal(number.is_finite().fill_null(value=False), *parsed.values())
        return [
            *times.unit_votes(number),
            *_range_facts(number),
            *(is_read.sum().alias(f"format {text_format}") for text_format, is_read in parsed.items()),
            (column.is_not_null() & ~read).sum().alias("unread"),
        ]
    if isinstance(kind, (pl.Datetime, pl.Date)):
        utc = times.from_datetime(column, kind, time_zone)
        return [(column.is_not_null() & utc.is_null()).sum().alias("unread")]
    return []


def _range_facts(number: pl.Expr) -> list[pl.Expr]:
    finite = pl.when(number.is_finite()).then(number)
    return [finite.min().alias("low"), finite.max().alias("high"), (~number.is_finite()).sum().alias("odd")]


def _time_plan(kind: pl.DataType, facts: dict[str, float], time_unit: str | None, time_zone: str) -> _Plan:
    unit = time_unit or times.elected(facts)
    voters = sum(int(count) for fact, count in facts.items() if fact.startswith("votes_"))
    if voters and time_unit is None:
        agree = facts[f"votes_{unit}"]
        log.info("time is read as %s since 1970 (%d of %d numbers are of that size)", unit, agree, voters)
    formats = [f for f in times.TEXT_FORMATS if facts.get(f"format {f}")]
    value = times.to_utc(pl.col(TIME), kind, unit=unit, time_zone=time_zone, formats=formats)
    outside = not times.fits(facts.get("low"), facts.get("high"), unit)
    return _Plan(value, lossy=bool(outside or facts.get("odd") or facts.get("unread")))


def _id_plan(name: str, kind: pl.DataType, facts: dict[str, float], *, untyped: bool) -> _Plan:
    column = pl.col(name)
    if kind.is_integer():
        return _Plan(column.cast(pl.Int64), lossy=False)
    if kind.is_float():
        whole = pl.when(column.is_finite() & (column == column.floor())).then(column)
        return _Plan(whole.cast(pl.Int64), lossy=facts[f"{name}_bad"] + facts[f"{name}_odd"] > 0)
    if kind == pl.String and untyped and facts[f"{name}_whole"] and not facts[f"{name}_text"]:
        number = column.str.strip_chars().str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
        return _Plan(number, lossy=facts[f"{name}_bad"] > 0)
    if kind == pl.String or isinstance(kind, (pl.Categorical, pl.Enum)):
        if facts.get(f"{name}_whole"):
            n_text, n_whole = facts[f"{name}_text"], facts[f"{name}_whole"]
            log.warning(
                "%s: %d values are whole numbers and %d are not; all are kept as text", name, n_whole, n_text
            )
        return _Plan(column.cast(pl.String), lossy=False)
    raise SchemaError(f"expected {name} as whole numbers or text; the column is {kind}")
