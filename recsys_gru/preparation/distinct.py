"""Visits told apart that share a session id."""

import logging
from datetime import timedelta

import polars as pl

from recsys_gru.clicks.frames import ITEM, ORDER, SESSION, TIME
from recsys_gru.clicks.sessionize import reused_ids

log = logging.getLogger("recsys_gru")

_VISIT, _VISITS, _START = "_visit", "_visits", "_start"


def one_visit_each(rows: pl.LazyFrame, silence: timedelta) -> pl.LazyFrame:
    """Events in which no session is silent for longer: an id that comes again is named ``id@start``."""
    kept = [SESSION, ITEM, TIME, *(name for name in rows.collect_schema().names() if name == ORDER)]
    spans = rows.select(SESSION, TIME).collect(engine="streaming").sort(SESSION, TIME)
    if (reused := reused_ids(spans, silence)) is None:
        return rows.select(kept)
    log.warning("%s. The store keeps them apart", reused.partition(": the ids")[0])
    table = rows.select(kept).collect().sort(SESSION, TIME, maintain_order=True)
    begins = pl.col(SESSION).ne_missing(pl.col(SESSION).shift()) | (pl.col(TIME).diff() > silence)
    table = table.with_columns(begins.fill_null(value=True).cum_sum().alias(_VISIT))
    visits = pl.col(_VISIT).n_unique().over(SESSION)
    table = table.with_columns(pl.col(TIME).first().over(_VISIT).alias(_START), visits.alias(_VISITS))
    moment = pl.col(_START).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    name = pl.col(SESSION).cast(pl.String)
    named = pl.when(pl.col(_VISITS) > 1).then(name + "@" + moment).otherwise(name)
    return table.select(named.alias(SESSION), pl.exclude(SESSION, _VISIT, _VISITS, _START)).lazy()
