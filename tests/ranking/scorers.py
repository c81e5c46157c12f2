"""Tiny models for tests of ranking and evaluation: their scores are a table, so answers are plain to see."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.ranking import Block, MatrixBlock
from recsys_gru.sessions import Sessions, Vocabulary


@dataclass
class TableScorer:
    """Scores depend on the prefix's last item alone: row i of ``table`` (N, N) answers item i."""

    vocabulary_: Vocabulary
    table: NDArray[np.float32]

    def blocks(self, sessions: Sessions, every: bool, rows: int = 256) -> Iterator[Block]:
        ends = sessions.offsets[1:][sessions.lengths > 0] - 1
        keep = np.ones(sessions.n_events, dtype=np.bool_)
        keep[ends] = False
        events = np.flatnonzero(keep) if every else ends
        for first in range(0, len(events), rows):
            part = events[first : first + rows].astype(np.int64)
            yield MatrixBlock(part, self.table[sessions.items[part]])


def events_of(sessions: list[list[int]]) -> pl.DataFrame:
    """One event a minute, session after session, session ids 0, 1, 2..."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    flat = [(session, item) for session, items in enumerate(sessions) for item in items]
    return pl.DataFrame(
        {
            "session_id": [session for session, _ in flat],
            "item_id": [item for _, item in flat],
            "time": [start + timedelta(minutes=minute) for minute in range(len(flat))],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC"), "session_id": pl.Int64},
    )


def vocabulary_of(size: int) -> Vocabulary:
    """Items 0..size-1, each its own number, item i seen size - i times."""
    ids = pl.Series("item_id", range(size), dtype=pl.Int64)
    return Vocabulary(ids, np.arange(size, 0, -1, dtype=np.int64))


def random_table(size: int, seed: int, levels: int = 0) -> NDArray[np.float32]:
    """Scores (N, N); few ``levels`` make many ties."""
    generator = np.random.default_rng(seed)
    if levels:
        return generator.integers(0, levels, (size, size)).astype(np.float32)
    return generator.normal(size=(size, size)).astype(np.float32)
