"""Walk test sessions, rank every next item over the whole catalogue, and put the ranks into a ledger."""

import logging
from collections.abc import Sequence
from typing import Literal

from recsys_gru.arguments import choice, shown, whole_number
from recsys_gru.engines import EngineLike, engine_in
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.evaluation.foretold import Foreteller
from recsys_gru.evaluation.ledger import RANK_OF_TIES, rank_values, whole_cutoffs
from recsys_gru.evaluation.metrics import mean_gain
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.views import MODEL, POPULARITY, doubts, known_clicks, what_is_there
from recsys_gru.forked import need_threads
from recsys_gru.observers import Evaluated, announce
from recsys_gru.ranking import PREFIXES, ItemFilter, Scorer, context_of, vocabulary_of
from recsys_gru.sessions import SessionData, as_sessions

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
    engine: EngineLike = "local",
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
        engine: who ranks: this process, or with "ray" the workers of a cluster, each a part of the sessions.

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
    sessions = as_sessions(test, vocabulary=vocabulary_of(model), context=context_of(model))
    competing = _filter(items)
    with engine_in(engine) as moving:
        foretold = Foreteller(moving.lend(model), competing, rows, progress).by(moving, sessions)
    replay = foretold.ledger
    ledger = known_clicks(replay) if unknown == "drop" else replay
    if ledger.is_empty():
        raise ClickLogError("expected a test session with a second known event" + what_is_there(sessions))
    ranks = rank_values(ledger, ties)
    report = Report(
        recall={k: mean_gain("recall", ranks, k) for k in cutoffs},
        mrr={k: mean_gain("mrr", ranks, k) for k in cutoffs},
        events=ledger.height,
        sessions=ledger["session_id"].n_unique(),
        unknown=foretold.unknown,
        excluded=foretold.barred[MODEL] + (foretold.barred[POPULARITY] if unknown == "miss" else 0),
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
