"""Reading a click log: columns found and named, ids kept as int or text, times made UTC."""

import difflib
import logging
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from recsys_gru.arguments import word
from recsys_gru.clicks import times
from recsys_gru.clicks.adapters import adapter_of, scan_published
from recsys_gru.clicks.frames import AS_READ, ITEM, KIND, ORDER, SESSION, TIME, USER
from recsys_gru.clicks.ids import Plan, as_whole, id_facts, id_plan, kinds_of
from recsys_gru.clicks.moment import context_names, context_of_frame, label_text
from recsys_gru.clicks.scan import Source, collect, damaged, scan
from recsys_gru.errors import ClickLogError, ParameterError, SchemaError
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
    ORDER: ("clickorder",),
}
_FINE = {pl.Float32: 1 << 24}  # whole seconds beyond are further apart than one


def read_clicks(
    source: Source,
    *,
    session: str = SESSION,
    item: str = ITEM,
    time: str | None = None,
    user: str | None = None,
    order: str | None = None,
    format: str | None = None,  # noqa: A002 - the word users expect
    ids: str | Mapping[str, str] | None = None,
    time_unit: str | None = None,
    time_zone: str = "UTC",
    time_format: str | None = None,
    context: Sequence[str] = (),
) -> pl.LazyFrame:
    """Scan a click log as a LazyFrame with the columns session_id, item_id, time (UTC, microseconds) and
    user_id if asked for.

    ``source`` is a path, folder, glob, list of paths, Polars or pandas frame, Arrow table or dict of columns.
    Columns of the usual names are found by themselves. Ids stay whole numbers or text; ``ids="text"`` or
    ``"whole"`` (or a dict by column, ``{"item_id": "text"}``) says which, where a CSV does not. Numbers as
    times count from 1970; their unit is found from their size unless ``time_unit`` names it; 20260301 is a
    date. ``time_format`` reads other texts (``"%d.%m.%Y %H:%M"``). Times without a zone are of
    ``time_zone``. ``order`` names a column that says in which order clicks of equal time came; without one
    it is that of the rows. ``context`` names columns of what is known about the moment of a click, its device
    say: they are kept as text. ``user`` may name the column of the session: its ids are then cut at
    silences, as sessionize does, because they begin anew every day, say. ``format`` reads a published file
    (yoochoose, diginetica, retailrocket, otto, globo, rees46, coveo, lastfm-1k) without naming columns.

    No row is dropped: a value that cannot be read is null and kept as it came in a column such as
    ``time_as_read``, which check_clicks takes up; so does the item of a row of a published log that is no
    click, a purchase say.

    Raises:
        ParameterError: there is no such time zone, unit, format or kind of ids.
        SchemaError: a column is missing, or files differ in their columns.
        ClickLogError: a file cannot be read.

    >>> raw = pl.DataFrame({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": [1590884413, 1590884420]})
    >>> read_clicks(raw).collect().row(1)
    (1, 'b', datetime.datetime(2020, 5, 31, 0, 20, 20, tzinfo=zoneinfo.ZoneInfo(key='UTC')))
    """
    need_threads("read_clicks")
    times.require_known(time_unit, time_zone, time_format)
    wish = _Wish(kinds_of(ids), time_unit, time_zone, time_format)
    told = context_names(context)
    if format is not None:
        adapter_of(format)
        if told:
            raise ParameterError(f"expected no context beside format={format!r}, which names all columns")
        rows, wish.untyped = scan_published(source, format)
    else:
        raw, wish.untyped = scan(source)
        wanted = {SESSION: session, ITEM: item, TIME: time, USER: user, ORDER: order}
        names = _find_columns(raw.collect_schema().names(), wanted)
        labels = context_of_frame(raw, told)
        rows = raw.select(
            *(pl.col(found).alias(name) for name, found in names.items()),
            *(label_text(name, raw.collect_schema()[name]) for name in labels),
        )
    if isinstance(rows.collect_schema()[TIME], (pl.Categorical, pl.Enum)):
        rows = rows.with_columns(pl.col(TIME).cast(pl.String))
    is_click = pl.col(KIND).is_null() if KIND in rows.collect_schema() else None
    try:
        plans = _plans(rows.drop(KIND, *told, strict=False), wish)
    except ClickLogError as error:
        raise ClickLogError(f"{error}{damaged(source)}") from error
    if is_click is not None:
        plans[ITEM] = Plan(pl.when(is_click).then(plans[ITEM].value), lossy=True)
    kinds = rows.collect_schema()
    found = rows.select(
        *(plan.value.alias(name) for name, plan in plans.items()),
        *(
            times.as_read(pl.col(name), kinds[name]).alias(name + AS_READ)
            for name, plan in plans.items()
            if plan.lossy
        ),
        *([pl.col(KIND)] if is_click is not None else []),
        *(name for name in told if name in kinds),
    )
    _READ[id(found)] = found
    return found


def was_read(frame: pl.LazyFrame) -> bool:
    """Whether this is a frame that read_clicks gave, unchanged."""
    return _READ.get(id(frame)) is frame


_READ: "weakref.WeakValueDictionary[int, pl.LazyFrame]" = weakref.WeakValueDictionary()


@dataclass
class _Wish:
    """What the caller said of the log, and whether it is untyped text."""

    kinds: Mapping[str, str]
    unit: str | None
    zone: str
    format: str | None
    untyped: bool = field(default=False)


def _find_columns(given: list[str], wanted: dict[str, str | None]) -> dict[str, str]:
    _require_words(wanted)
    found = {name.strip(): name for name in reversed(given)} | {name: name for name in given}
    if wanted[USER] is not None and wanted[USER] == wanted[SESSION]:
        wanted = {role: name for role, name in wanted.items() if role != SESSION}
    names = {}
    for role, name in wanted.items():
        if name in found:
            names[role] = found[name]
        elif role == USER and name is None:
            continue
        elif name is None or name == role:
            match = synonym(role, list(found))
            if match is not None:
                names[role] = found[match]
    if USER in names and SESSION not in names:
        wanted = {role: name for role, name in wanted.items() if role != SESSION}
    missing = {
        role: name or role
        for role, name in wanted.items()
        if role not in names and (role not in (USER, ORDER) or name)
    }
    if missing:
        raise SchemaError(_missing_message(missing, given))
    return names


def _require_words(wanted: dict[str, str | None]) -> None:
    """Names of columns are texts; roles bear the names of the arguments, but for an ending or beginning."""
    for role, name in wanted.items():
        if name is not None:
            word(role.removesuffix("_id").removeprefix("click_"), name)


def synonym(role: str, found: list[str]) -> str | None:
    """The column that plays a role by one of its usual names, None where there is none."""
    plain = {"".join(c for c in name.lower() if c.isalnum()): name for name in reversed(found)}
    return next((plain[name] for name in _SYNONYMS[role] if name in plain), None)


def has_time(names: list[str]) -> bool:
    """Whether one of these columns would be read as the time."""
    return synonym(TIME, names) is not None


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


def _plans(rows: pl.LazyFrame, wish: _Wish) -> dict[str, Plan]:
    schema = rows.collect_schema()
    facts = _probe(rows, schema, wish)
    plans = {}
    for name, kind in schema.items():
        if name == TIME:
            plans[name] = _time_plan(kind, facts, wish)
        elif name == ORDER:
            plans[name] = Plan(_order(kind, facts, untyped=wish.untyped), lossy=False)
        else:
            plans[name] = id_plan(name, kind, facts, wish.kinds.get(name), untyped=wish.untyped)
    return plans


def _probe(rows: pl.LazyFrame, schema: pl.Schema, wish: _Wish) -> dict[str, float]:
    """Facts about whole columns, so that neither types nor units depend on which rows come first: one
    pass.
    """
    wanted: list[pl.Expr] = []
    for name, kind in schema.items():
        if name == TIME:
            wanted += _time_facts(pl.col(name), kind, wish)
        elif name != ORDER:
            wanted += id_facts(name, kind, untyped=wish.untyped)
        elif kind == pl.String:
            other = pl.col(name).is_not_null() & as_whole(pl.col(name)).is_null()
            wanted.append(other.sum().alias(f"{name}_text"))
    if not wanted:
        return {}
    return collect(rows.select(wanted)).row(0, named=True)


def _order(kind: pl.DataType, facts: dict[str, float], *, untyped: bool) -> pl.Expr:
    """A column that can be sorted: whole numbers of a CSV as such, other text by its letters."""
    column = pl.col(ORDER)
    if kind.is_nested() or kind in (pl.Object, pl.Boolean, pl.Null):
        raise SchemaError(f"expected the order of clicks as numbers, text or times; the column is {kind}")
    return as_whole(column) if kind == pl.String and untyped and not facts[f"{ORDER}_text"] else column


def _time_facts(column: pl.Expr, kind: pl.DataType, wish: _Wish) -> list[pl.Expr]:
    if wish.format is not None and (kind.is_numeric() or kind == pl.String):
        utc = times.from_text(_written(column, kind), wish.format, wish.zone)
        return [(column.is_not_null() & utc.is_null()).sum().alias("unread")]
    if kind.is_numeric():
        return [*times.unit_votes(column), *_range_facts(column.cast(pl.Float64))]
    if kind == pl.String:
        number = times.number_of_text(column)
        parsed = {f: times.from_text(column, f, wish.zone).is_not_null() for f in times.TEXT_FORMATS}
        read = pl.any_horizontal(number.is_finite().fill_null(value=False), *parsed.values())
        return [
            *times.unit_votes(number),
            *_range_facts(number),
            *(is_read.sum().alias(f"format {text_format}") for text_format, is_read in parsed.items()),
            (column.is_not_null() & ~read).sum().alias("unread"),
        ]
    if isinstance(kind, (pl.Datetime, pl.Date)):
        utc = times.from_datetime(column, kind, wish.zone)
        return [(column.is_not_null() & utc.is_null()).sum().alias("unread")]
    return []


def _written(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Numbers as text, for a format: 20260301 and 20260301.0 alike."""
    return column if kind == pl.String else column.cast(pl.Int64, strict=False).cast(pl.String)


def _range_facts(number: pl.Expr) -> list[pl.Expr]:
    finite = pl.when(number.is_finite()).then(number)
    return [finite.min().alias("low"), finite.max().alias("high"), (~number.is_finite()).sum().alias("odd")]


def _time_plan(kind: pl.DataType, facts: dict[str, float], wish: _Wish) -> Plan:
    column = pl.col(TIME)
    if wish.format is not None and (kind.is_numeric() or kind == pl.String):
        value = times.from_text(_written(column, kind), wish.format, wish.zone)
        return Plan(value, lossy=bool(facts["unread"]))
    unit = wish.unit or times.elected(facts)
    voters = sum(int(count) for fact, count in facts.items() if fact.startswith("votes_"))
    if voters and wish.unit is None:
        agree = facts["dates" if unit == times.COMPACT else f"votes_{unit}"]
        told = "dates such as 20260301" if unit == times.COMPACT else f"{unit} since 1970"
        log.info("time is read as %s (%d of %d numbers are of that size)", told, agree, voters)
    if kind in (pl.Float32, pl.Float16) and (facts["high"] or 0) >= _FINE[pl.Float32]:
        log.warning(
            "time is a column of %s, which cannot hold seconds since 1970 closer than 128 s: clicks of "
            "different times may share one. What to do: write times as whole numbers or Float64",
            kind,
        )
    formats = [f for f in times.TEXT_FORMATS if facts.get(f"format {f}")]
    value = times.to_utc(column, kind, unit=unit, time_zone=wish.zone, formats=formats)
    outside = unit == times.COMPACT or not times.fits(facts.get("low"), facts.get("high"), unit)
    return Plan(value, lossy=bool(outside or facts.get("odd") or facts.get("unread")))
