"""Clicks of another type of ids than those that they join."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from recsys_gru.clicks.check import REASON, CheckedClicks
from recsys_gru.clicks.frames import ITEM, SESSION, USER
from recsys_gru.clicks.ids import as_whole
from recsys_gru.errors import SchemaError


def of_types(checked: CheckedClicks, held: Mapping[str, pl.DataType], place: str) -> CheckedClicks:
    """The clicks with ids of the types held; one that cannot be is set aside as ``bad item_id`` (say).

    Raises:
        SchemaError: the log has other columns, or no id of it can be of that type.
    """
    table = checked.clicks.collect()
    owner = SESSION if SESSION in table.columns else USER
    cut_here = owner == USER and held[SESSION] != pl.String  # the store names sessions of users itself
    if (USER in held) != (USER in table.columns) or cut_here:
        raise SchemaError(f"the store {place} holds {dict(held)}; got {dict(table.schema)}")
    columns = [name for name in (SESSION, USER, ITEM) if name in table.columns and name in held]
    other = [name for name in columns if table.schema[name] != held[name]]
    if not other or table.is_empty():
        return checked
    counts, rejected = dict(checked.counts), [checked.rejected]
    for name in other:
        text = pl.col(name).cast(pl.String)
        value = text if held[name] == pl.String else as_whole(text)
        table = table.with_columns(value.alias("_typed"))
        bad = table.filter(pl.col("_typed").is_null())
        if bad.height == table.height:
            raise SchemaError(
                f"the store {place} holds {name} as {held[name]}; got {table[name].head(5).to_list()}. What "
                "to do: give the log another store"
            )
        table = table.drop_nulls("_typed").with_columns(pl.col("_typed").alias(name))
        rejected.append(bad.drop("_typed").with_columns(pl.lit(f"bad {name}").alias(REASON)))
        if bad.height:
            counts[f"bad {name}"] = counts.get(f"bad {name}", 0) + bad.height
    counts["kept"], counts["rejected"] = table.height, counts["read"] - table.height
    rows = pl.concat([_as_text(part) for part in rejected], how="diagonal")
    return replace(checked, clicks=table.drop("_typed").lazy(), rejected=rows, counts=counts)


def _as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows with ids as they were written."""
    ids = [name for name in (SESSION, USER, ITEM, "time") if name in rows.columns]
    return rows.with_columns(pl.col(ids).cast(pl.String))
