"""The raw files that people download, each read as it is published."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import polars as pl

from recsys_gru.clicks.found import files_of
from recsys_gru.clicks.frames import KIND, TIME
from recsys_gru.clicks.recipe import Recipe
from recsys_gru.clicks.scan import Source, collect, exactly, opened
from recsys_gru.errors import ClickLogError, ParameterError, SchemaError
from recsys_gru.files import Place

log = logging.getLogger("recsys_gru")

# the comparison paper: an hour of silence ends a session, repeats are collapsed, the last day(s) are the test
_DAY_RECIPE = Recipe(gap=timedelta(hours=1), collapse=True, test=timedelta(days=1))
_WEEK_RECIPE = Recipe(gap=timedelta(hours=1), collapse=True, test=timedelta(days=7))
_OTTO_EVENT = pl.Struct({"aid": pl.Int64, "ts": pl.Int64, "type": pl.String})


@dataclass(frozen=True)
class Adapter:
    """How one published file becomes a click log.

    Attributes:
        columns: where session_id or user_id, item_id and time come from.
        clicks: column and value of the rows that are clicks, None where all are.
        names: the columns of a file without a header line.
        separator: between the fields.
        quoted: whether a quotation mark has a meaning.
        pattern: the files of a folder that belong to the log.
        recipe: the preprocessing of the comparison paper (Hidasi and Czapp 2023) for this log; of the same
            pattern, but our own, for otto, globo and lastfm-1k.
    """

    columns: Mapping[str, pl.Expr]
    clicks: tuple[str, str] | None = None
    names: tuple[str, ...] | None = None
    separator: str = ","
    quoted: bool = True
    pattern: str = "*.csv*"
    recipe: Recipe = field(default=_DAY_RECIPE)


def _named(**columns: str) -> dict[str, pl.Expr]:
    return {role: pl.col(name) for role, name in columns.items()}


_DIGINETICA_TIME = pl.col("eventdate").str.to_datetime(
    "%Y-%m-%d", time_unit="us", strict=False
) + pl.duration(milliseconds=pl.col("timeframe").cast(pl.Int64, strict=False))
ADAPTERS: Mapping[str, Adapter] = {
    "yoochoose": Adapter(
        _named(session_id="session", item_id="item", time="timestamp"),
        names=("session", "timestamp", "item", "category"),
        pattern="*clicks*.dat*",
    ),
    "diginetica": Adapter(
        {**_named(session_id="sessionId", item_id="itemId"), TIME: _DIGINETICA_TIME},
        separator=";",
        pattern="train-item-views.csv*",
        recipe=_WEEK_RECIPE,
    ),
    "retailrocket": Adapter(
        _named(user_id="visitorid", item_id="itemid", time="timestamp"),
        clicks=("event", "view"),
        pattern="events*.csv*",
        recipe=_WEEK_RECIPE,
    ),
    "otto": Adapter(
        _named(session_id="session", item_id="aid", time="ts"), clicks=("type", "clicks"), pattern="*.jsonl*"
    ),
    "globo": Adapter(
        _named(session_id="session_id", item_id="click_article_id", time="click_timestamp"),
        pattern="clicks_hour_*.csv*",
    ),
    "rees46": Adapter(
        _named(session_id="user_session", item_id="product_id", time="event_time"),
        clicks=("event_type", "view"),
    ),
    "coveo": Adapter(
        _named(session_id="session_id_hash", item_id="product_sku_hash", time="server_timestamp_epoch_ms"),
        clicks=("product_action", "detail"),
        pattern="browsing*.csv*",
    ),
    "lastfm-1k": Adapter(
        _named(user_id="user", item_id="track", time="timestamp"),
        names=("user", "timestamp", "artist", "artist_name", "track", "track_name"),
        separator="\t",
        quoted=False,
        pattern="*timestamp*.tsv*",
    ),
}


def adapter_of(name: str) -> Adapter:
    """The adapter of a format by its name.

    Raises:
        ParameterError: there is none.
    """
    if name not in tuple(ADAPTERS):
        raise ParameterError(f"expected format to be one of {', '.join(ADAPTERS)}; got {name!r}")
    return ADAPTERS[name]


def recipe_of(format: str) -> Recipe:  # noqa: A002 - the same word as in read_clicks
    """The preprocessing of the comparison paper for a published log (our own for otto, globo, lastfm-1k).

    Raises:
        ParameterError: the format is unknown.

    >>> recipe_of("retailrocket").test
    datetime.timedelta(days=7)
    """
    return adapter_of(format).recipe


def scan_published(source: Source, name: str) -> tuple[pl.LazyFrame, bool]:
    """The columns of a published file under their house names, and whether they are untyped text.

    Rows that are no clicks (a purchase, say) have what they are in ``kind_as_read``, null for clicks.

    Raises:
        ParameterError: the format is unknown.
        SchemaError: the file is not of that format.
        ClickLogError: a file cannot be read.
    """
    adapter = adapter_of(name)
    if not isinstance(source, (str, Path, list, tuple)):
        raise ParameterError(
            f"format={name!r} reads files; got {type(source).__name__}. What to do: leave format out"
        )
    files = files_of(source, adapter.pattern)
    raw = pl.concat([_open_otto(file) if name == "otto" else _open_csv(file, adapter) for file in files])
    _expect(raw, adapter, name)
    columns = [source.alias(role) for role, source in adapter.columns.items()]
    if adapter.clicks is not None:
        columns.append(_kind(raw, *adapter.clicks))
    return raw.select(columns), name != "otto"


def _open_csv(file: Place, adapter: Adapter) -> pl.LazyFrame:
    with opened(file):
        frame = pl.scan_csv(
            str(file),
            infer_schema=False,
            glob=False,
            separator=adapter.separator,
            quote_char='"' if adapter.quoted else None,
            has_header=adapter.names is None,
            new_columns=adapter.names,
        )
        frame.collect_schema()
    return frame


def _open_otto(file: Place) -> pl.LazyFrame:
    with opened(file):
        frame = pl.scan_ndjson(exactly(file), schema={"session": pl.Int64, "events": pl.List(_OTTO_EVENT)})
        frame.collect_schema()
    return frame.explode("events").unnest("events")


def _expect(raw: pl.LazyFrame, adapter: Adapter, name: str) -> None:
    found = raw.collect_schema().names()
    needed = {column for source in adapter.columns.values() for column in source.meta.root_names()}
    needed |= {adapter.clicks[0]} if adapter.clicks else set()
    if missing := sorted(needed - set(found)):
        raise SchemaError(f"a {name} file has the columns {', '.join(missing)}; found {', '.join(found)}")


def _kind(raw: pl.LazyFrame, column: str, value: str) -> pl.Expr:
    wanted = pl.col(column).eq_missing(pl.lit(value))
    clicks, rows = collect(raw.select(wanted.sum().alias("clicks"), pl.len().alias("rows"))).row(0)
    if not clicks:
        raise ClickLogError(f"expected rows whose {column} is {value!r}; none of {rows:,} is")
    log.info("%d of %d rows are clicks (%s is %s); the others are set aside", clicks, rows, column, value)
    return pl.when(~wanted).then(pl.col(column).fill_null("of no kind")).alias(KIND)
