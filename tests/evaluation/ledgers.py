"""Random rank ledgers for the tests of everything that starts from ranks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl


def random_ledger(sessions: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    """Ledger of sessions with 1..6 events; ``shift`` improves the ranks of the same events by that factor."""
    shape = np.random.default_rng(1000 + sessions)
    lengths = shape.integers(1, 7, sessions)
    owner = np.repeat(np.arange(sessions), lengths)
    events = len(owner)
    skill = np.random.default_rng(seed).exponential(30, events) + shape.exponential(20, sessions)[owner]
    rank = np.ceil(skill * (1 - shift)) + 1
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "session_id": owner,
            "position": np.concatenate([np.arange(1, n + 1) for n in lengths]),
            "item_id": shape.integers(0, 40, events),
            "rank": rank,
            "rank_standard": rank - 1.0,
            "rank_median": rank - 0.5,
            "support": shape.integers(1, 5000, events),
            "repeat": shape.random(events) < 0.2,
            "time": [start + timedelta(minutes=7 * minute) for minute in range(events)],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    ).with_columns(pl.col("time").dt.hour().alias("hour"))
