"""One replay, looked at in ways that flatter more or less: which clicks count, and what is shown."""

import polars as pl

from recsys_gru.evaluation.ledger import RANK_OF_TIES
from recsys_gru.evaluation.metrics import mean_gain
from recsys_gru.sessions import TIED_LIMIT, Sessions, tied_warning

MODEL, POPULARITY, UNKNOWN = "model", "popularity", "unknown"
"""Of a ledger's column ``source``: who ranked the click; nobody, where the item is unknown."""
ALL, KNOWN, NEVER = "all clicks", "known clicks", "clicks on never-seen items"
SHOWN = ", as shown"
NAMES = {
    ALL: "every click from the second of its session on; one on an item that training lacks is a miss",
    KNOWN: "clicks on known items after a known one; the others are left out, as in most published tables",
    ALL + SHOWN: "all clicks, without the items that the session holds, which recommend does not show again",
    KNOWN + SHOWN: "known clicks, likewise: a click on an item of the session is a miss",
    NEVER: "of all clicks, those on items that no click of training is on: 0 for a model without facts",
}
"""The views and what they count; the last only where a model ranks an item that no click was on."""
MANY_UNKNOWN = 0.2


def known_clicks(replay: pl.DataFrame) -> pl.DataFrame:
    """The clicks that a model ranked by itself."""
    return replay.filter(pl.col("source") == MODEL)


def never_seen(replay: pl.DataFrame) -> pl.DataFrame:
    """The clicks on items that no click of training is on, those on unknown items among them.

    >>> never_seen(pl.DataFrame({"support": [0, 3]})).height
    1
    """
    return replay.filter(pl.col("support") == 0) if "support" in replay.columns else replay.clear()


def views(replay: pl.DataFrame, ties: str, cutoffs: list[int], never: bool | None = None) -> pl.DataFrame:
    """Recall and MRR of each view at each cut-off: view, k, events, recall, mrr (null without an event).

    ``ties`` is the rule of the figures over all items; those of the lists as shown are conservative. Clicks
    on never-seen items are a view as ``never`` says, None where the model ranks some of them.

    >>> never = float("inf")
    >>> replay = pl.DataFrame({"source": ["model", "unknown"], "rank": [2.0, never]})
    >>> replay = replay.with_columns(rank_shown=pl.Series([1.0, never]))
    >>> views(replay, "conservative", [5])["recall"].to_list()
    [0.5, 1.0, 0.5, 1.0]
    """
    known, new, rank = known_clicks(replay), never_seen(replay), RANK_OF_TIES[ties]
    parts = {ALL: (replay, rank), KNOWN: (known, rank)}
    parts |= {ALL + SHOWN: (replay, "rank_shown"), KNOWN + SHOWN: (known, "rank_shown")}
    if never or (never is None and known_clicks(new).height):
        parts[NEVER] = (new, rank)
    rows = []
    for name, (part, column) in parts.items():
        ranks = part[column].to_numpy()
        for k in cutoffs:
            means = [mean_gain(gain, ranks, k) if len(ranks) else None for gain in ("recall", "mrr")]
            rows.append((name, k, len(ranks), *means))
    numbers = {"k": pl.Int64, "events": pl.Int64, "recall": pl.Float64, "mrr": pl.Float64}
    return pl.DataFrame(rows, schema={"view": pl.String, **numbers}, orient="row")


def shares(replay: pl.DataFrame) -> dict[str, float]:
    """Share of all clicks on unknown items, of known clicks on an item that the session holds already, and,
    where the ledger tells, of neighbouring known clicks that have one time.

    >>> shares(pl.DataFrame({"source": ["model", "unknown"], "repeat": [True, True]}))
    {'unknown_share': 0.5, 'repeat_share': 1.0}
    """
    unknown, repeats = replay["source"] == UNKNOWN, known_clicks(replay)["repeat"]
    tied = tied_share(replay)
    return {
        "unknown_share": float(unknown.sum()) / max(replay.height, 1),
        "repeat_share": float(repeats.sum()) / max(len(repeats), 1),
        **({} if tied is None else {"tied_share": tied}),
    }


def tied_share(ledger: pl.DataFrame) -> float | None:
    """The share of the ranked known clicks that have the time of the known one before them in the session;
    None where no row tells, as in ledgers of earlier versions.

    >>> tied_share(pl.DataFrame({"tied": [True, False, None]}))
    0.5
    """
    told = ledger["tied"].drop_nulls() if "tied" in ledger.columns else pl.Series(dtype=pl.Boolean)
    return float(told.sum()) / len(told) if len(told) else None


def tied_doubts(share: float | None) -> tuple[str, ...]:
    """The warning, if so many neighbouring clicks have one time that their order is in question."""
    if share is None or share <= TIED_LIMIT:
        return ()
    return (f"{tied_warning(share)}; if one was named, the order is that column's",)


def doubts(replay: pl.DataFrame, learned: tuple[int, int] | None = None) -> tuple[str, ...]:
    """What a reader must know before believing a figure.

    Args:
        replay: the ledger of all clicks.
        learned: first and last event that the model has learned from, microseconds since 1970.
    """
    found = () if learned is None else _learned_already(replay, learned)
    found += tied_doubts(tied_share(replay))
    share = shares(replay)["unknown_share"]
    if share <= MANY_UNKNOWN:
        return found
    return (
        *found,
        f"{share:.0%} of the clicks are on items that training does not know: figures of known clicks say "
        "little here; train later, lower min_support, or learn as clicks come",
    )


def _learned_already(replay: pl.DataFrame, learned: tuple[int, int]) -> tuple[str, ...]:
    inside = int(replay["time"].dt.epoch("us").is_between(*learned).sum())
    if not inside:
        return ()
    first, last = pl.Series(learned).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M")
    return (
        f"{inside:,} of {replay.height:,} clicks lie within the time that the model has learned from "
        f"({first} to {last} UTC): their figures are of what it has seen; test on later clicks",
    )


def what_is_there(sessions: Sessions) -> str:
    """What test sessions hold that leave nothing to rank, and what to do, as the rest of a sentence."""
    unknown = sessions.unknown.height
    said = f", got {sessions.n_sessions} sessions of {sessions.n_events} known and {unknown} unknown events: "
    if unknown <= sessions.n_events:
        return said + "give a longer test part"
    theirs = sessions.unknown["item_id"].head(3).to_list()
    return said + (
        f"compare the ids, the model knows such as {sessions.vocabulary.ids.head(3).to_list()}, the "
        f"test part has such as {theirs}; where they are one kind, learn from later clicks"
    )
