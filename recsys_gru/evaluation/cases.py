"""Single cases for the eye: example recommendations and the sessions a model does worst on."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.errors import ClickLogError
from recsys_gru.evaluation.ledger import rank_values
from recsys_gru.evaluation.lists import recommendation_lists
from recsys_gru.ranking import ItemFilter, Scorer, context_of
from recsys_gru.sessions import SessionData, as_sessions


def example_recommendations(
    model: Scorer,
    test: SessionData,
    n: int = 5,
    k: int = 10,
    *,
    items: ItemFilter | None = None,
    least: int = 3,
    seed: int = 0,
) -> pl.DataFrame:
    """What the model says before the last click of some random sessions of ``least`` known events or more.

    Returns:
        session_id, so_far (list of ids), next (the id that came), recommended (list of k ids), place (of the
        next item among them, from 1; null if it is not).

    Raises:
        ClickLogError: if no session is that long.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> example_recommendations(rg.Markov().fit(train), test, n=2, k=3).columns
    ['session_id', 'so_far', 'next', 'recommended', 'place']
    """
    sessions = as_sessions(test, vocabulary=model.vocabulary_, context=context_of(model))
    long = np.flatnonzero(sessions.lengths >= max(least, 2))
    if not len(long):
        raise ClickLogError(f"expected a session of {least} known events, got none: ask for fewer")
    chosen = np.sort(np.random.default_rng(seed).choice(long, min(n, len(long)), replace=False))
    begun = sessions.part(chosen, sessions.lengths[chosen] - 1)
    lists = recommendation_lists(model, begun, k, items=items, every=False)
    starts, ends = sessions.offsets[chosen], sessions.offsets[chosen + 1] - 1
    hits = lists.items == sessions.items[ends, None]  # (n, k)
    name = sessions.vocabulary.take
    return pl.DataFrame(
        {
            "session_id": sessions.ids.gather(chosen),
            "so_far": [name(sessions.items[first:end]) for first, end in zip(starts, ends, strict=True)],
            "next": name(sessions.items[ends]),
            "recommended": [name(row[row >= 0]) for row in lists.items],
            "place": [int(row.argmax()) + 1 if row.any() else None for row in hits],
        },
        schema_overrides={"place": pl.Int64},
    )


def worst_sessions(
    ranks: pl.DataFrame, n: int = 10, least: int = 3, ties: str = "conservative"
) -> pl.DataFrame:
    """The sessions with the lowest mean reciprocal rank among those of ``least`` ranked events or more.

    Returns:
        session_id, events, mrr (mean of 1/rank without a cut-off), median_rank, targets (list of ids).

    >>> from datetime import datetime
    >>> ranks = pl.DataFrame({"session_id": [1, 2], "rank": [1.0, 50.0], "item_id": [7, 8], "position": 1})
    >>> worst_sessions(ranks.with_columns(time=datetime(2026, 1, 1)), n=1, least=1)["session_id"].to_list()
    [2]
    """
    rank = pl.Series("_rank", rank_values(ranks, ties))
    return (
        ranks.lazy()
        .with_columns(rank)
        .group_by("session_id")
        .agg(
            pl.len().alias("events"),
            (1 / pl.col("_rank")).mean().alias("mrr"),
            pl.col("_rank").median().alias("median_rank"),
            pl.col("item_id").sort_by("time", "position").alias("targets"),
        )
        .filter(pl.col("events") >= least)
        .sort("mrr", "session_id")
        .head(n)
        .collect()
    )


def recall_curve(ranks: pl.DataFrame, longest: int = 100, ties: str = "conservative") -> NDArray[np.float64]:
    """Recall@k for k = 1..longest, (longest,) float64.

    >>> recall_curve(pl.DataFrame({"rank": [1.0, 3.0]}), 4).tolist()
    [0.5, 0.5, 1.0, 1.0]
    """
    values = rank_values(ranks, ties)
    found = np.bincount(np.ceil(values[values <= longest]).astype(np.int64), minlength=longest + 1)
    curve: NDArray[np.float64] = np.cumsum(found)[1:] / len(values)
    return curve
