"""Walk test sessions, rank every next item over the whole catalogue, and put the ranks into a ledger."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import polars as pl

from recsys_gru.arguments import choice, shown, whole_number
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.evaluation.ledger import RANK_OF_TIES, rank_values, whole_cutoffs
from recsys_gru.evaluation.metrics import mean_gain
from recsys_gru.evaluation.ranked import Ranked, by_model, by_popularity
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.views import MODEL, POPULARITY, UNKNOWN, doubts, known_clicks, what_is_there
from recsys_gru.forked import need_threads
from recsys_gru.observers import Evaluated, announce
from recsys_gru.ranking import PREFIXES, ItemFilter, Scorer, vocabulary_of
from recsys_gru.sessions import SessionData, Sessions, as_sessions

log = logging.getLogger("recsys_gru")
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

    Whatever ``unknown`` says, the report tells the figures of both rules beside each other, and those of the
    lists as ``recommend`` would show them.

    Args:
        model: a fitted recommender, or any Scorer.
        test: Sessions in the model's vocabulary, or a frame or path of events.
        cutoffs: list lengths k of recall@k and MRR@k.
        ties: which rank the metrics use: ``conservative`` counts equal scores as above the target,
            ``standard`` as below, ``median`` half of them. All three are in the ledger.
        unknown: which clicks the figures are of. ``drop``, as in the published tables: clicks on unknown
            items are removed before the replay. ``miss``: every click from the second of its session on, as
            many for every model; one on an unknown item is a miss, and where all before it is unknown
            popularity answers, as in ``recommend``.
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
    bound = _filter(items).bind(sessions)
    replayed = Ranked.of(list(_watched(by_model(model, sessions, bound, rows), sessions, progress)))
    fallback = Ranked.of(list(by_popularity(sessions, bound, rows)))
    replay = pl.concat(
        [_ledger(sessions, replayed, MODEL), _ledger(sessions, fallback, POPULARITY), _misses(sessions)],
        how="vertical_relaxed",
    )
    ledger = known_clicks(replay) if unknown == "drop" else replay
    if ledger.is_empty():
        raise ClickLogError("expected a test session with a second known event" + what_is_there(sessions))
    ranks = rank_values(ledger, ties)
    report = Report(
        recall={k: mean_gain("recall", ranks, k) for k in cutoffs},
        mrr={k: mean_gain("mrr", ranks, k) for k in cutoffs},
        events=ledger.height,
        sessions=ledger["session_id"].n_unique(),
        unknown=sessions.unknown.height,
        excluded=int(replayed.excluded.sum()) + (int(fallback.excluded.sum()) if unknown == "miss" else 0),
        ties=ties,
        unknown_rule=unknown,
        ranks=ledger,
        replay=replay,
        warnings=doubts(replay, getattr(model, "span_", None)),
    )
    for warning in report.warnings:
        log.warning("%s", warning)
    announce(Evaluated(model, report, sessions, items))
    return report


def _filter(items: object) -> ItemFilter:
    if items is None:
        return ItemFilter()
    if not isinstance(items, ItemFilter):
        raise ParameterError(f"expected items as an ItemFilter, got {shown(items)}: ItemFilter(allow=[...])")
    return items


def _watched(parts: Iterable[Ranked], sessions: Sessions, progress: bool) -> Iterator[Ranked]:
    """The parts as they come, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("events ranked"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    total = int(np.maximum(sessions.lengths - 1, 0).sum())
    with Progress(*columns, console=console, disable=not (progress and console.is_terminal)) as bar:
        task = bar.add_task("evaluate", total=total)
        for part in parts:
            yield part
            bar.advance(task, len(part.events))


def _ledger(sessions: Sessions, ranked: Ranked, source: str) -> pl.DataFrame:
    owner = np.searchsorted(sessions.offsets, ranked.events, side="right") - 1  # (R,)
    targets = sessions.items[ranked.events]
    above, equal, above_shown, equal_shown = ranked.counts.astype(np.float64)
    frame = pl.DataFrame(
        {
            "session_id": sessions.ids.gather(owner),
            "position": ranked.events - sessions.offsets[owner],
            "item_id": sessions.vocabulary.take(targets),
            "rank": above + equal,
            "rank_standard": above + 1,
            "rank_median": above + (equal - 1) / 2 + 1,
            "support": sessions.vocabulary.support[targets],
            "repeat": _repeats(sessions)[ranked.events],
            "time": pl.Series(sessions.times[ranked.events]).cast(pl.Datetime("us", "UTC")),
            "rank_shown": np.where(equal_shown > 0, above_shown + equal_shown, np.inf),
        }
    )
    barred = pl.when(pl.Series(ranked.excluded)).then(float("inf"))
    infinite = barred.otherwise(pl.col(*RANK_OF_TIES.values(), "rank_shown"))
    return _columns(frame.with_columns(infinite.name.keep()), source)


def _repeats(sessions: Sessions) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each event's item (E,) came earlier in its session."""
    owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)
    first = pl.DataFrame({"session": owner, "item": sessions.items}).select(
        pl.struct("session", "item").is_first_distinct()
    )
    return ~first.to_series().to_numpy()


def _misses(sessions: Sessions) -> pl.DataFrame:
    """Ledger rows of the unknown clicks; their place in the replay is null, for they are not in it."""
    infinite = [pl.lit(float("inf")).alias(name) for name in (*RANK_OF_TIES.values(), "rank_shown")]
    repeat = ~pl.struct("session_id", "item_id").is_first_distinct()
    frame = sessions.unknown.with_columns(*infinite, repeat=repeat, support=pl.lit(0, pl.Int64))
    targets = frame.filter(pl.col("position") > 0)
    return _columns(targets.with_columns(position=pl.lit(None, pl.Int64)), UNKNOWN)


def _columns(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    return frame.select(
        "session_id",
        "position",
        "item_id",
        *RANK_OF_TIES.values(),
        "support",
        "repeat",
        "time",
        pl.col("time").dt.hour().alias("hour"),
        pl.lit(source, pl.String).alias("source"),
        "rank_shown",
    )
