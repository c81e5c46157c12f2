"""What the contract suite runs on: every recommender by a factory, and the logs they are given."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from recsys_gru.baselines import (
    SKNN,
    STAN,
    VMISKNN,
    VSKNN,
    VSTAN,
    ItemKNN,
    Markov,
    Popularity,
    RecentPopularity,
    Repeats,
    SequentialRules,
    SessionPopularity,
)
from recsys_gru.blend import Blend
from recsys_gru.contract import Recommender
from recsys_gru.recommender import GRU4Rec

FACTORIES: dict[str, Callable[[], Recommender]] = {
    "Popularity": Popularity,
    "RecentPopularity": RecentPopularity,
    "SessionPopularity": SessionPopularity,
    "Repeats": Repeats,
    "Markov": Markov,
    "SequentialRules": SequentialRules,
    "ItemKNN": lambda: ItemKNN(damping=1.0),
    "SKNN": lambda: SKNN(neighbors=10, sample_size=30),
    "VSKNN": lambda: VSKNN(neighbors=10, sample_size=30),
    "STAN": lambda: STAN(neighbors=10, sample_size=30),
    "VSTAN": lambda: VSTAN(neighbors=10, sample_size=30),
    "VMISKNN": lambda: VMISKNN(neighbors=10, sample_size=30),
    "GRU4Rec": lambda: GRU4Rec(layers=(8,), batch_size=8, n_sample=16, n_epochs=3, device="cpu"),
    "Blend": lambda: Blend(({"model": "Markov"}, {"model": "Popularity"}, {"model": "Repeats", "reach": 20})),
}
"""A new recommender is added here and nowhere else; its factory takes nothing and keeps the fit fast."""

ANIMALS = ["ant", "bee", "cat 🐈", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kiwi", "lynx"]


def log(n_sessions: int = 60, seed: int = 3, words: bool = False, first: int = 0) -> pl.DataFrame:
    """A log on 12 items that form a ring: the next item is mostly the next on the ring."""
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(first, first + n_sessions):
        item = int(rng.integers(12))
        for minute in range(int(rng.integers(2, 7))):
            rows.append((session, 100 + item, START + timedelta(hours=session, minutes=minute)))
            item = (item + (1 if rng.random() < 0.8 else int(rng.integers(12)))) % 12
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return named(frame) if words else frame


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """The same clicks on items that have names instead of numbers."""
    return frame.with_columns(pl.Series("item_id", ANIMALS).gather(frame["item_id"] - 100))


START = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = pl.Schema({"session_id": pl.Int64(), "item_id": pl.Int64(), "time": pl.Datetime("us", "UTC")})
