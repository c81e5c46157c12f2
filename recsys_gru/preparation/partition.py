"""The rows of a day's partition in the store: each click once, in an order that no way of adding changes."""

from collections.abc import Sequence

import polars as pl

from recsys_gru.clicks.frames import ITEM, ORDER, SESSION, TIME, USER, UTC_TIME
from recsys_gru.clicks.order import by_hash, sorted_rows

DAY = "day"


def distinct(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Every click once; of two orders that one click was given, the smaller."""
    table = pl.concat([part.select(pl.exclude(DAY)) for part in parts], how="diagonal")
    key = [name for name in (SESSION, USER, ITEM, TIME) if name in parts[0].columns]
    orders = [pl.col(ORDER).min()] if ORDER in table.columns else []
    return table.group_by(key).agg(orders) if orders else table.select(key).unique()


def in_order(table: pl.DataFrame, owner: str) -> pl.DataFrame:
    """The rows of a partition in an order that no way of adding them can change."""
    plain = table.sort(SESSION, TIME, ITEM)
    who = USER if owner == USER else SESSION
    hashed = by_hash(plain, SESSION, (plain[who], plain[ITEM]))
    return sorted_rows(hashed, SESSION) if ORDER in table.columns else hashed


def stored(table: pl.DataFrame, owner: str) -> pl.DataFrame:
    """An empty frame with the columns of a partition."""
    kinds = {
        SESSION: pl.String() if owner == USER else table.schema[SESSION],
        ITEM: table.schema[ITEM],
        TIME: UTC_TIME,
    }
    more = {name: table.schema[name] for name in (USER, ORDER) if name in table.columns}
    return pl.DataFrame(schema={**kinds, **more})
