"""Two models on the same events: differences, intervals and p-values, from their rank ledgers alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl

from recsys_gru.arguments import real_number, shown, whole_number
from recsys_gru.errors import ParameterError
from recsys_gru.evaluation.ledger import metric_grid
from recsys_gru.evaluation.showing import as_html, as_text
from recsys_gru.evaluation.statistics import (
    SessionSums,
    bootstrap_means,
    ends,
    holm,
    permutation_p,
    session_sums,
)
from recsys_gru.evaluation.views import tied_doubts, tied_share

KEYS = ("session_id", "time", "item_id", "occurrence")
_HEAD = ("metric", "k", "A", "B", "B - A", "low", "high", "p", "p Holm")


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """A paired comparison; positive differences speak for the second model, B.

    Attributes:
        table: metric, k, a, b, difference (b - a), low, high, p (permutation), p_holm (over all rows);
            low and high are null below 10 sessions.
        events: events both ledgers hold; only they count.
        sessions: sessions of these events.
        only_a: events that only the first ledger holds.
        only_b: events that only the second ledger holds.
        tied_share: share of neighbouring clicks of one time among these events; None where the ledgers, of an
            earlier version, do not tell.
    """

    table: pl.DataFrame
    events: int
    sessions: int
    only_a: int
    only_b: int
    tied_share: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before believing a difference."""
        return tied_doubts(self.tied_share)

    def __repr__(self) -> str:
        return "\n".join([as_text(_HEAD, self._rows()), *self._notes()])

    def _repr_html_(self) -> str:
        return as_html(_HEAD, self._rows(), self._notes())

    def _notes(self) -> list[str]:
        return [self._counts(), *(f"warning: {text}" for text in self.warnings)]

    def _rows(self) -> list[list[str]]:
        kept = self.table.select("metric", "k", "a", "b", "difference", "low", "high", "p", "p_holm")
        return [
            [metric, str(k), *(f"{value:.4f}" for value in means), *(f"{value:+.4f}" for value in spans), *ps]
            for metric, k, *rest in kept.iter_rows()
            for means, spans, ps in [(rest[:2], rest[2:5], [f"{p:.4f}" for p in rest[5:]])]
        ]

    def _counts(self) -> str:
        share = self.tied_share
        tied = "" if share is None else f", {share:.1%} of neighbouring clicks at one time"
        return (
            f"{self.events} events of {self.sessions} sessions in both, {self.only_a} only in A, "
            f"{self.only_b} only in B{tied}; positive differences speak for B"
        )


def compare(
    a: pl.DataFrame,
    b: pl.DataFrame,
    metrics: Sequence[str] = ("recall", "mrr"),
    cutoffs: Sequence[int] = (5, 10, 20),
    *,
    ties: str = "conservative",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare two rank ledgers event by event.

    Sessions are drawn with replacement for the intervals, and whole sessions swap models for the p-values;
    ``resamples`` counts the draws of each kind.

    Raises:
        ParameterError: if the ledgers share no event.

    >>> from datetime import datetime
    >>> a = pl.DataFrame({"session_id": [1, 2], "item_id": [7, 8], "time": [datetime(2026, 1, 1)] * 2})
    >>> a, b = a.with_columns(rank=pl.Series([3.0, 9.0])), a.with_columns(rank=pl.Series([1.0, 2.0]))
    >>> compare(a, b, ["recall"], [5]).table["difference"].to_list()
    [0.5]
    """
    grid = metric_grid(metrics, cutoffs)
    resamples, seed = whole_number("resamples", resamples, 1), whole_number("seed", seed, 0)
    level = real_number("level", level)
    if not 0 < level < 1:
        raise ParameterError(f"expected level between 0 and 1, got {level}: .95 is usual")
    for frame in (a, b):
        if not isinstance(frame, pl.DataFrame):
            raise ParameterError(f"expected rank ledgers, Report.ranks, got {shown(frame)}")
    ours, theirs = align(a, b)
    sums_a, sums_b = session_sums(ours, grid, ties), session_sums(theirs, grid, ties)
    difference = SessionSums(sums_b.sums - sums_a.sums, sums_a.counts)
    generator = np.random.default_rng(seed)
    drawn = bootstrap_means(difference, resamples, generator)
    p_values = permutation_p(difference.sums, resamples, generator)
    names, ks = zip(*grid, strict=True)
    table = pl.DataFrame(
        {
            "metric": names,
            "k": ks,
            "a": sums_a.means,
            "b": sums_b.means,
            "difference": difference.means,
            **ends(drawn, level, len(sums_a.counts)),
            "p": p_values,
            "p_holm": holm(p_values),
        }
    )
    shared = ours.height
    rest = (a.height - shared, b.height - shared)
    return Comparison(table, shared, len(difference.counts), *rest, tied_share(ours))


def compare_many(
    reference: pl.DataFrame,
    others: Mapping[str, pl.DataFrame],
    metric: str = "recall",
    k: int = 20,
    *,
    ties: str = "conservative",
    seed: int = 0,
) -> pl.DataFrame:
    """Compare several models with one reference: ``model`` and the columns of a Comparison, best first.

    The reference is A; Holm's correction runs over all models.

    >>> from datetime import datetime
    >>> a = pl.DataFrame({"session_id": [1, 2], "item_id": [7, 8], "time": [datetime(2026, 1, 1)] * 2})
    >>> a, b = a.with_columns(rank=pl.Series([3.0, 9.0])), a.with_columns(rank=pl.Series([1.0, 2.0]))
    >>> compare_many(a, {"b": b, "again": a}, k=5)["model"].to_list()
    ['b', 'again']
    """
    rows = [
        compare(reference, ranks, [metric], [k], ties=ties, seed=seed).table.select(
            pl.lit(name).alias("model"), pl.all()
        )
        for name, ranks in others.items()
    ]
    table = pl.concat(rows)
    return table.with_columns(p_holm=holm(table["p"].to_numpy())).sort("b", "model", descending=[True, False])


def align(a: pl.DataFrame, b: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of both ledgers that tell of the same event, in the same order.

    Models with different vocabularies drop different unknown clicks, so position is no key: an event is
    known by session, time, item, and its count among equals.

    Raises:
        ParameterError: if no event is shared.
    """
    for key in KEYS[:3]:
        one, other = (frame.schema.get(key) for frame in (a, b))
        if one != other or one is None:
            raise ParameterError(
                f"expected two ledgers of the same test sessions, but {key} is {one or 'missing'} in the "
                f"first and {other or 'missing'} in the second: evaluate both models on the same test part"
            )
    counted = [
        frame.with_columns(occurrence=pl.int_range(pl.len()).over(KEYS[:3])).sort(KEYS) for frame in (a, b)
    ]
    first, second = counted
    ours = first.join(second.select(KEYS), on=KEYS, how="semi", maintain_order="left")
    theirs = second.join(first.select(KEYS), on=KEYS, how="semi", maintain_order="left")
    if ours.is_empty():
        raise ParameterError(
            f"expected two ledgers of the same test sessions, got {a.height} and {b.height} events, none in "
            "common: evaluate both models on the same test part"
        )
    return ours, theirs
