"""Questions to ask before a number is believed: leaks, ties, saturation, and whether order matters at all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import function, whole_number
from recsys_gru.errors import ClickLogError
from recsys_gru.evaluation.compare import Comparison, compare
from recsys_gru.evaluation.ledger import metrics_from_ranks
from recsys_gru.evaluation.replay import evaluate
from recsys_gru.evaluation.views import tied_doubts
from recsys_gru.ranking import Scorer
from recsys_gru.sessions import SessionData, Sessions, as_sessions, moment_of


class Trainable(Scorer, Protocol):
    """A scorer that can be fitted: every recommender of this library."""

    def fit(self, train: SessionData) -> Self: ...


@final
@dataclass(frozen=True, eq=False)
class OrderProbe:
    """Whether a model gains from the order of clicks.

    Attributes:
        ordered: recall@k of the model fitted on the sessions as they are.
        shuffled: recall@k of the same model fitted on shuffled sessions, on the same test events.
        comparison: the paired comparison, shuffled (A) against ordered (B).
        verdict: a sentence for the reader.
        tied_share: share of neighbouring clicks of one time, in the part, training or test, that has more.
        warning: that the order of the clicks may be none of the data, where that share is high; else empty.
    """

    ordered: float
    shuffled: float
    comparison: Comparison
    verdict: str
    tied_share: float
    warning: str = ""


def order_probe(
    factory: Callable[[], Trainable], train: SessionData, test: SessionData, k: int = 20, seed: int = 0
) -> OrderProbe:
    """Fit the same model on the sessions and on sessions with shuffled clicks, and compare on the test.

    Where shuffling costs nothing the log has no order to learn from: a sequential model is the wrong tool.
    Where many neighbouring clicks have one time, what is learned may be how the rows were sorted: the verdict
    says so, whatever the figures. ``factory`` gives a fresh model, seeded alike each time.

    Raises:
        ParameterError: ``factory`` is no function, or a number is impossible.

    Source: Hidasi & Czapp, Widespread Flaws in Offline Evaluation, RecSys 2023;
    Klenitskiy et al., Does It Look Sequential?, RecSys 2024.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> order_probe(rg.Markov, train, test, k=5).verdict.split(":")[0]
    'sequential'
    """
    function("factory", factory)
    k, seed = whole_number("k", k, 1), whole_number("seed", seed, 0)
    sessions = as_sessions(train)
    test = as_sessions(test, vocabulary=sessions.vocabulary)
    ordered = evaluate(factory().fit(sessions), test, (k,))
    shuffled = evaluate(factory().fit(shuffled_sessions(sessions, seed)), test, (k,))
    comparison = compare(shuffled.ranks, ordered.ranks, ["recall"], [k], seed=seed)
    tied = max(sessions.tied_share, test.tied_share)
    warning = "".join(tied_doubts(tied))
    recalls = (ordered.recall[k], shuffled.recall[k])
    return OrderProbe(*recalls, comparison, _verdict(comparison, k, tied if warning else 0.0), tied, warning)


def shuffled_sessions(sessions: Sessions, seed: int) -> Sessions:
    """The same sessions with the items of each in random order; lengths and times stay."""
    owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)
    order = np.lexsort((np.random.default_rng(seed).random(sessions.n_events), owner))
    return replace(sessions, items=sessions.items[order])


def _verdict(comparison: Comparison, k: int, doubtful: float) -> str:
    """The sentence; ``doubtful`` is the share of tied neighbours where it is too high, else 0."""
    row = comparison.table.row(0, named=True)
    loss = row["difference"] / row["b"] if row["b"] else 0.0
    told = f"shuffling takes {loss:.1%} of recall@{k} ({row['b']:.4f} to {row['a']:.4f}, p = {row['p']:.2g})"
    if doubtful:
        return (
            f"not to be told: {doubtful:.0%} of neighbouring clicks have the same time, so their order may "
            f"be none of the data; {told}"
        )
    if row["p"] < 0.05 and loss > 0.05:
        return f"sequential: {told}"
    return f"not shown to be sequential: {told}; an order-free method may serve as well"


def tie_rate(ranks: pl.DataFrame) -> float:
    """Share of events whose target shares its score with another item.

    >>> tie_rate(pl.DataFrame({"rank": [3.0, 1.0], "rank_standard": [1.0, 1.0]}))
    0.5
    """
    tied = (ranks["rank"] != ranks["rank_standard"]).mean()
    return 0.0 if tied is None else float(str(tied))


def refuse_leaks(train: SessionData, test: SessionData) -> None:
    """Check that the test part begins after the training part ends and shares no session with it.

    Raises:
        ClickLogError: if a test event is not later than the last training event, or a session is in both.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> refuse_leaks(train, test)
    >>> try:
    ...     refuse_leaks(train, train.head(2))
    ... except ClickLogError as error:
    ...     print(error)
    expected every test event later than the last training event ...
    """
    old, new = as_sessions(train), as_sessions(test)
    last, times = int(_times(old).max(initial=0)), _times(new)
    early = int((times <= last).sum())
    if early:
        raise ClickLogError(
            f"expected every test event later than the last training event ({_moment(last)}), {early} of "
            f"{len(times)} are not (the first at {_moment(int(times.min()))}): the model would have seen "
            "the future; split by time before anything else"
        )
    both = new.ids.filter(new.ids.is_in(old.ids.implode()))
    if len(both):
        raise ClickLogError(
            f"expected no session in both parts, {len(both)} are (first {both[:5].to_list()}): "
            "keep each session in one part"
        )


def _times(sessions: Sessions) -> NDArray[np.int64]:
    """Times of all events, those on unknown items included."""
    return np.concatenate([sessions.times, sessions.unknown["time"].dt.epoch("us").to_numpy()])


def _moment(microseconds: int) -> str:
    return moment_of(microseconds).isoformat()


def warnings_of(ranks: pl.DataFrame, metrics: dict[str, float]) -> list[str]:
    """Sentences about what a reader of the accuracy figures should know.

    Args:
        ranks: the rank ledger.
        metrics: what ``list_metrics`` gave.

    >>> ranks = pl.DataFrame({"rank": [3.0], "rank_standard": [3.0]})
    >>> metrics = {"saturation": 0.0, "coverage": 0.01, "gini": 0.5, "intra_session_diversity": 0.5}
    >>> warnings_of(ranks, metrics)
    ['only 1.0% of the catalogue is ever recommended']
    """
    best, worst = (metrics_from_ranks(ranks, ["recall"], [20], ties) for ties in ("standard", "conservative"))
    swing = best["recall_at_20"] - worst["recall_at_20"]
    checks = [
        (
            swing > 0.005,
            f"recall@20 hangs on the tie rule: {worst['recall_at_20']:.4f} conservative, "
            f"{best['recall_at_20']:.4f} standard ({tie_rate(ranks):.1%} of the targets share their score)",
        ),
        (metrics["saturation"] > 0.01, f"{metrics['saturation']:.1%} of the lists have one score throughout"),
        (metrics["coverage"] < 0.05, f"only {metrics['coverage']:.1%} of the catalogue is ever recommended"),
        (
            metrics["gini"] > 0.95,
            f"exposure is very uneven (Gini {metrics['gini']:.2f}): a few items have it all",
        ),
        (
            metrics["intra_session_diversity"] < 0.1,
            "the lists hardly change from click to click "
            f"({metrics['intra_session_diversity']:.1%} new items): the model ignores what was just clicked",
        ),
    ]
    return [sentence for raised, sentence in checks if raised]
