"""The result of an evaluation: metrics by cut-off, what was counted, and the rank of every event."""

from dataclasses import dataclass
from typing import final

import polars as pl

from recsys_gru.evaluation.showing import as_html


@final
@dataclass(frozen=True, eq=False)
class Report:
    """How well a model foretells the next item of the test sessions, over the whole catalogue.

    Attributes:
        recall: recall@k by cut-off k, the share of events whose target is among the first k.
        mrr: MRR@k by cut-off k, the mean of 1/rank, 0 beyond k.
        events: events the means are taken over.
        sessions: sessions with at least one of these events.
        unknown: clicks on items outside the training vocabulary.
        excluded: events whose target the item filter bars; their rank is infinite.
        ties: the tie rule of the metrics.
        unknown_rule: "drop" or "miss".
        ranks: the rank ledger, one row per event.

    >>> ranks = pl.DataFrame({"rank": [1.0, 30.0]})
    >>> report = Report({20: 0.5}, {20: 0.5}, 2, 1, 0, 0, "conservative", "drop", ranks)
    >>> report.to_dict()["recall_at_20"]
    0.5
    """

    recall: dict[int, float]
    mrr: dict[int, float]
    events: int
    sessions: int
    unknown: int
    excluded: int
    ties: str
    unknown_rule: str
    ranks: pl.DataFrame

    def figures(self) -> dict[str, float]:
        """Metrics as ``recall_at_20``, ``mrr_at_20``, at every cut-off."""
        recall = {f"recall_at_{k}": value for k, value in self.recall.items()}
        return recall | {f"mrr_at_{k}": value for k, value in self.mrr.items()}

    def to_dict(self) -> dict[str, float | int | str]:
        """The figures and the counts: ready for JSON and for a tracker."""
        return {
            **self.figures(),
            "events": self.events,
            "sessions": self.sessions,
            "unknown": self.unknown,
            "excluded": self.excluded,
            "ties": self.ties,
            "unknown_rule": self.unknown_rule,
        }

    def table(self) -> pl.DataFrame:
        """One row per cut-off: k, recall, mrr."""
        cutoffs = list(self.recall)
        values = {"recall": list(self.recall.values()), "mrr": [self.mrr[k] for k in cutoffs]}
        return pl.DataFrame({"k": cutoffs, **values}, schema_overrides={"k": pl.Int64})

    def __repr__(self) -> str:
        head = f"{'k':>5} {'recall':>8} {'MRR':>8}"
        rows = [f"{k:>5} {recall:>8} {mrr:>8}" for k, recall, mrr in self._rows()]
        return "\n".join([head, *rows, self._counts()])

    def _repr_html_(self) -> str:
        return as_html(["k", "recall", "MRR"], self._rows(), [self._counts()])

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(str(k), f"{self.recall[k]:.4f}", f"{self.mrr[k]:.4f}") for k in self.recall]

    def _counts(self) -> str:
        counts = (
            f"{self.events} events of {self.sessions} sessions, {self.unknown} clicks on unknown items "
            f"({self.unknown_rule}), ties {self.ties}"
        )
        return f"{counts}, {self.excluded} targets barred by the item filter" if self.excluded else counts
