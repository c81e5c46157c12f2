"""One replay, looked at in ways that flatter more or less: which clicks count, and what is shown."""

import polars as pl

from recsys_gru.evaluation.ledger import RANK_OF_TIES
from recsys_gru.evaluation.metrics import mean_gain

MODEL, POPULARITY, UNKNOWN = "model", "popularity", "unknown"
"""Of a ledger's column ``source``: who ranked the click; nobody, where the item is unknown."""
ALL, KNOWN = "all clicks", "known clicks"
SHOWN = ", as shown"
NAMES = {
    ALL: "every click from the second of its session on; one on an item that training lacks is a miss",
    KNOWN: "clicks on known items after a known one; the others are left out, as in most published tables",
    ALL + SHOWN: "all clicks, without the items that the session holds, which recommend does not show again",
    KNOWN + SHOWN: "known clicks, likewise: a click on an item of the session is a miss",
}
"""The views and what they count."""
MANY_UNKNOWN = 0.2


def known_clicks(replay: pl.DataFrame) -> pl.DataFrame:
    """The clicks that a model ranked by itself."""
    return replay.filter(pl.col("source") == MODEL)


def views(replay: pl.DataFrame, ties: str, cutoffs: list[int]) -> pl.DataFrame:
    """Recall and MRR of each view at each cut-off: view, k, events, recall, mrr (null without an event).

    ``ties`` is the rule of the figures over all items; those of the lists as shown are conservative.

    >>> never = float("inf")
    >>> replay = pl.DataFrame({"source": ["model", "unknown"], "rank": [2.0, never]})
    >>> replay = replay.with_columns(rank_shown=pl.Series([1.0, never]))
    >>> views(replay, "conservative", [5])["recall"].to_list()
    [0.5, 1.0, 0.5, 1.0]
    """
    rows = []
    for column, suffix in ((RANK_OF_TIES[ties], ""), ("rank_shown", SHOWN)):
        for name, part in ((ALL, replay), (KNOWN, known_clicks(replay))):
            ranks = part[column].to_numpy()
            for k in cutoffs:
                means = [mean_gain(gain, ranks, k) if len(ranks) else None for gain in ("recall", "mrr")]
                rows.append((name + suffix, k, len(ranks), *means))
    numbers = {"k": pl.Int64, "events": pl.Int64, "recall": pl.Float64, "mrr": pl.Float64}
    return pl.DataFrame(rows, schema={"view": pl.String, **numbers}, orient="row")


def shares(replay: pl.DataFrame) -> dict[str, float]:
    """Share of all clicks on unknown items, and of known clicks on an item that the session holds already.

    >>> shares(pl.DataFrame({"source": ["model", "unknown"], "repeat": [True, True]}))
    {'unknown_share': 0.5, 'repeat_share': 1.0}
    """
    unknown, repeats = replay["source"] == UNKNOWN, known_clicks(replay)["repeat"]
    return {
        "unknown_share": float(unknown.sum()) / max(replay.height, 1),
        "repeat_share": float(repeats.sum()) / max(len(repeats), 1),
    }


def doubts(replay: pl.DataFrame) -> tuple[str, ...]:
    """What a reader must know before believing a figure."""
    share = shares(replay)["unknown_share"]
    if share <= MANY_UNKNOWN:
        return ()
    return (
        f"{share:.0%} of the clicks are on items that training does not know: figures of known clicks say "
        "little here; train later, lower min_support, or learn as clicks come",
    )
