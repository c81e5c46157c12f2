"""Tiny click logs for examples: one text is one session, one letter is one click."""

from datetime import UTC, datetime, timedelta

import polars as pl


def clicks_of(*sessions: str) -> pl.DataFrame:
    """A click log of these sessions, each a day after the one before, a minute between clicks.

    >>> clicks_of("ab", "c")["item_id"].to_list()
    ['a', 'b', 'c']
    """
    rows = [
        (number, item, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number, minutes=minute))
        for number, items in enumerate(sessions)
        for minute, item in enumerate(items)
    ]
    kinds: dict[str, pl.DataType | type[pl.DataType]] = {
        "session_id": pl.Int64,
        "item_id": pl.String,
        "time": pl.Datetime("us", "UTC"),
    }
    return pl.DataFrame(rows, schema=pl.Schema(kinds), orient="row")
