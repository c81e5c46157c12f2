"""Walk test sessions, rank every next item over the whole catalogue, and put the ranks into a ledger."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import choice, shown, whole_number
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.evaluation.ledger import RANK_OF_TIES, rank_values, whole_cutoffs
from recsys_gru.evaluation.metrics import mean_gain
from recsys_gru.evaluation.report import Report
from recsys_gru.forked import need_threads
from recsys_gru.observers import Evaluated, announce
from recsys_gru.ranking import PREFIXES, BoundFilter, ItemFilter, Scorer, rank_counts, vocabulary_of
from recsys_gru.sessions import SessionData, Sessions, as_sessions

Ties = Literal["conservative", "standard", "median"]
UnknownRule = Literal["drop", "miss"]


def evaluate(
    model: Scorer,
    test: SessionData,
    cutoffs: Sequence[int] = (5, 10, 20),
    *,
    ties: Ties = "conservative",
    unknown: UnknownRule = "drop",
    items: ItemFilter | None = None,
    rows: int = PREFIXES,
    progress: bool = False,
) -> Report:
    """Rank the next item of every event of the test sessions over the whole catalogue.

    Args:
        model: a fitted recommender, or any Scorer.
        test: Sessions in the model's vocabulary, or a frame or path of events.
        cutoffs: list lengths k of recall@k and MRR@k.
        ties: which rank the metrics use: ``conservative`` counts equal scores as above the target,
            ``standard`` as below, ``median`` half of them. All three are in the ledger.
        unknown: ``drop`` removes clicks on unknown items before the replay; ``miss`` counts in addition one
            infinite rank for each of them that is not its session's first click.
        items: which items compete; a target that the filter bars has an infinite rank.
        rows: prefixes scored at once; the answers do not depend on it.
        progress: whether to draw a progress bar, on terminals only.

    Raises:
        ClickLogError: if no event is left to rank.
        NonFiniteScoresError: if the model gives NaN or infinite scores.
        ParameterError: if an argument is not one of those above.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> report = evaluate(rg.Markov().fit(train), test)
    >>> report.recall[5] > 2 * evaluate(rg.Popularity().fit(train), test).recall[5]
    True
    """
    cutoffs = whole_cutoffs(cutoffs)
    rows = whole_number("rows", rows, 1)
    choice("unknown", unknown, ("drop", "miss"))
    choice("ties", ties, RANK_OF_TIES)
    need_threads("evaluate")
    sessions = as_sessions(test, vocabulary=vocabulary_of(model))
    bound = None if items is None else _filter(items).bind(sessions)
    replayed = _replay(model, sessions, bound, rows, progress)
    ledger = _ledger(sessions, *replayed)
    if unknown == "miss":
        ledger = pl.concat([ledger, _misses(sessions.unknown).select(ledger.columns)], how="vertical_relaxed")
    if ledger.is_empty():
        raise ClickLogError(
            f"expected a test session with a second known event, got {sessions.n_sessions} sessions of "
            f"{sessions.n_events} known and {sessions.unknown.height} unknown events: give a longer test part"
        )
    ranks = rank_values(ledger, ties)
    report = Report(
        recall={k: mean_gain("recall", ranks, k) for k in cutoffs},
        mrr={k: mean_gain("mrr", ranks, k) for k in cutoffs},
        events=ledger.height,
        sessions=ledger["session_id"].n_unique(),
        unknown=sessions.unknown.height,
        excluded=int(replayed[2].sum()),
        ties=ties,
        unknown_rule=unknown,
        ranks=ledger,
    )
    announce(Evaluated(model, report, sessions, items))
    return report


def _filter(items: object) -> ItemFilter:
    if not isinstance(items, ItemFilter):
        raise ParameterError(f"expected items as an ItemFilter, got {shown(items)}: ItemFilter(allow=[...])")
    return items


def _replay(
    model: Scorer, sessions: Sessions, bound: BoundFilter | None, rows: int, progress: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Events ranked (R,) as indices of their targets, counts (2, R) above and equal, excluded (R,)."""
    events, counts, excluded = [np.empty(0, np.int64)], [np.empty((2, 0), np.int64)], [np.empty(0, np.bool_)]
    for block_rows, above, equal, barred in _counted(model, sessions, bound, rows, progress):
        events.append(block_rows + 1)
        counts.append(np.stack([above, equal]))
        excluded.append(barred)
    found = np.concatenate(events)
    order = np.argsort(found)  # the order of blocks is the model's own affair
    return found[order], np.concatenate(counts, axis=1)[:, order], np.concatenate(excluded)[order]


def _counted(
    model: Scorer, sessions: Sessions, bound: BoundFilter | None, rows: int, progress: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("events ranked"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    total = int(np.maximum(sessions.lengths - 1, 0).sum())
    with Progress(*columns, console=console, disable=not (progress and console.is_terminal)) as bar:
        task = bar.add_task("evaluate", total=total)
        for block in model.blocks(sessions, every=True, rows=rows):
            targets = sessions.items[block.rows + 1]
            candidates = None if bound is None else bound.candidates(block.rows)
            above, equal = rank_counts(block, targets, candidates)
            barred = np.zeros(len(targets), np.bool_) if candidates is None else ~candidates.has(targets)
            yield block.rows, above, equal, barred
            bar.advance(task, len(block.rows))


def _ledger(
    sessions: Sessions, events: NDArray[np.int64], counts: NDArray[np.int64], excluded: NDArray[np.bool_]
) -> pl.DataFrame:
    owner = np.searchsorted(sessions.offsets, events, side="right") - 1  # (R,)
    targets = sessions.items[events]
    above, equal = counts.astype(np.float64)
    frame = pl.DataFrame(
        {
            "session_id": sessions.ids.gather(owner),
            "position": events - sessions.offsets[owner],
            "item_id": sessions.vocabulary.take(targets),
            "rank": above + equal,
            "rank_standard": above + 1,
            "rank_median": above + (equal - 1) / 2 + 1,
            "support": sessions.vocabulary.support[targets],
            "repeat": _repeats(sessions)[events],
            "time": pl.Series(sessions.times[events]).cast(pl.Datetime("us", "UTC")),
        }
    )
    infinite = pl.when(pl.Series(excluded)).then(float("inf")).otherwise(pl.col(*RANK_OF_TIES.values()))
    return frame.with_columns(infinite.name.keep(), _hour())


def _repeats(sessions: Sessions) -> NDArray[np.bool_]:
    """Whether each event's item (E,) came earlier in its session."""
    owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)
    first = pl.DataFrame({"session": owner, "item": sessions.items}).select(
        pl.struct("session", "item").is_first_distinct()
    )
    return ~first.to_series().to_numpy()


def _misses(unknown: pl.DataFrame) -> pl.DataFrame:
    """Ledger rows of the unknown clicks; their place in the replay is null, for they are not in it."""
    infinite = [pl.lit(float("inf")).alias(name) for name in RANK_OF_TIES.values()]
    return (
        unknown.with_columns(
            *infinite,
            repeat=~pl.struct("session_id", "item_id").is_first_distinct(),
            support=pl.lit(0, pl.Int64),
            raw_position=pl.col("position"),
            position=pl.lit(None, pl.Int64),
        )
        .with_columns(_hour())
        .filter(pl.col("raw_position") > 0)
        .drop("raw_position")
    )


def _hour() -> pl.Expr:
    return pl.col("time").dt.hour().alias("hour")
