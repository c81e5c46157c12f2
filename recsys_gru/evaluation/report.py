"""The result of an evaluation: metrics by cut-off, what was counted, and the rank of every event."""

from dataclasses import dataclass, field

import polars as pl

from recsys_gru.evaluation.showing import as_html
from recsys_gru.evaluation.statistics import intervals
from recsys_gru.evaluation.views import shares, views


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
        replay: the rank ledger of all clicks, whichever of them the figures are of.
        warnings: what to know before believing a figure.

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
    replay: pl.DataFrame = field(default_factory=pl.DataFrame)
    warnings: tuple[str, ...] = ()

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
            **self.shares(),
        }

    def notes(self, level: float = 0.95) -> dict[str, str]:
        """How the figures were taken and how sure they are, as texts to keep with the model beside
        ``figures()``: `save(metadata=...)`, from which its card is made."""
        found = {
            "test/clicks": f"{self.events:,} of {self.sessions:,} sessions",
            "test/ties": self.ties,
            "test/unknown": f"{self.unknown:,} clicks on unknown items, rule {self.unknown_rule}",
            **{f"test/{name}": f"{share:.1%}" for name, share in self.shares().items()},
        }
        for row in intervals(self.ranks, cutoffs=list(self.recall), ties=self.ties, level=level).to_dicts():
            if row["low"] is not None:
                name = f"test/{row['metric']}_at_{row['k']}/interval"
                found[name] = f"{row['low']:.4f} to {row['high']:.4f} ({level:.0%}, bootstrap over sessions)"
        return found

    def table(self) -> pl.DataFrame:
        """One row per cut-off: k, recall, mrr."""
        cutoffs = list(self.recall)
        values = {"recall": list(self.recall.values()), "mrr": [self.mrr[k] for k in cutoffs]}
        return pl.DataFrame({"k": cutoffs, **values}, schema_overrides={"k": pl.Int64})

    def views(self, never: bool | None = None) -> pl.DataFrame:
        """The figures of all clicks, of known clicks, and of both as shown: view, k, events, recall, mrr; and
        of clicks on never-seen items, as ``never`` says, None where the model ranks some of them."""
        return views(self.replay, self.ties, list(self.recall), never)

    def shares(self) -> dict[str, float]:
        """``unknown_share`` of all clicks, ``repeat_share`` of known clicks, and ``tied_share`` of
        neighbouring known clicks."""
        return {} if self.replay.is_empty() else shares(self.replay)

    def __repr__(self) -> str:
        head = f"{'k':>5} {'recall':>8} {'MRR':>8}"
        lines = [head, *(f"{k:>5} {recall:>8} {mrr:>8}" for k, recall, mrr in self._rows()), self._counts()]
        if beside := self._beside():
            top, rows, told = beside
            lines += [
                f"{name:<24}{events:>9} {recall:>10} {mrr:>8}" for name, events, recall, mrr in (top, *rows)
            ]
            lines.append(told)
        return "\n".join([*lines, *(f"warning: {w}" for w in self.warnings)])

    def _repr_html_(self) -> str:
        notes = [f"warning: {w}" for w in self.warnings]
        if beside := self._beside():
            notes = [beside[2], *notes]
        more = as_html(*beside[:2], notes) if beside else as_html([], [], notes)
        return as_html(["k", "recall", "MRR"], self._rows(), [self._counts()]) + more

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(str(k), f"{self.recall[k]:.4f}", f"{self.mrr[k]:.4f}") for k in self.recall]

    def _counts(self) -> str:
        counts = (
            f"{self.events} events of {self.sessions} sessions, {self.unknown} clicks on unknown items "
            f"({self.unknown_rule}), ties {self.ties}"
        )
        if self.excluded:
            counts += f", {self.excluded} targets barred by the item filter"
        return counts

    def _beside(self) -> tuple[list[str], list[list[str]], str] | None:
        """All views at the longest cut-off: heads and rows of a table, and the shares."""
        if self.replay.is_empty():
            return None
        k, rows = max(self.recall), []
        for row in self.views().filter(k=k).iter_rows(named=True):
            figures = ("-" if row[name] is None else f"{row[name]:.4f}" for name in ("recall", "mrr"))
            rows.append([row["view"], str(row["events"]), *figures])
        shares = self.shares()
        unknown, repeat = shares["unknown_share"], shares["repeat_share"]
        told = f"{unknown:.1%} of all clicks on unknown items, {repeat:.1%} of the known clicks repeats"
        if "tied_share" in shares:
            told += f", {shares['tied_share']:.1%} of neighbouring clicks at one time"
        return ["", "events", f"recall@{k}", f"MRR@{k}"], rows, told
