"""One self-contained HTML page about an evaluation: no script, no file from elsewhere, light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import polars as pl

from recsys_gru.evaluation.believed import believed
from recsys_gru.evaluation.cases import recall_curve, worst_sessions
from recsys_gru.evaluation.compare import compare_many
from recsys_gru.evaluation.reliability import Reliability
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.slices import slices
from recsys_gru.evaluation.statistics import intervals
from recsys_gru.evaluation.views import NAMES
from recsys_gru.pages import Html, bars, chips, curves, document, facts, section, table, text, tiles
from recsys_gru.sessions import Vocabulary

METRICS = ("recall", "mrr")
COUNTED = {"drop": "left out", "miss": "misses, where not first of a session"}
METRIC_NOTES = {
    "coverage": "share of the catalogue that is ever recommended",
    "gini": "unevenness of exposure: 0 even, 1 one item has it all",
    "average_popularity": "mean training clicks of the items shown",
    "novelty": "mean surprise of the items shown, in bits",
    "intra_session_diversity": "share of a list that was not in the list before",
    "saturation": "share of lists with one score throughout",
    "share_of_new_items": "share of the items shown that are new to the catalogue",
}


@final
@dataclass(frozen=True, eq=False)
class ReportPage:
    """Everything the page tells; only the title and the report are needed, the rest adds sections.

    Attributes:
        title: the page's heading.
        report: the evaluation it is about.
        baselines: rank ledgers of other models on the same test, by name.
        list_metrics: what ``list_metrics`` gave.
        warnings: sentences to read first, such as those of ``warnings_of``.
        data_ledger: what each step of preparation removed, any columns, one row a step.
        examples: what ``example_recommendations`` gave.
        facts: parameters and the like.
        first_seen: item_id, first_seen of training: adds the slice of new items.
        reliability: what ``reliability`` gave.
        vocabulary: what people call the items; their ids are shown where it does not say.

    >>> report = Report({20: 1.0}, {20: 1.0}, 1, 1, 0, 0, "standard", "drop", pl.DataFrame())
    >>> ReportPage("A test", report).k
    20
    """

    title: str
    report: Report
    baselines: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    list_metrics: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    data_ledger: pl.DataFrame | None = None
    examples: pl.DataFrame | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    first_seen: pl.DataFrame | None = None
    reliability: Reliability | None = None
    vocabulary: Vocabulary | None = None

    @property
    def k(self) -> int:
        """The headline cut-off: the longest of the report."""
        return max(self.report.recall)

    def names_of(self, items: Iterable[Any]) -> Mapping[Any, str]:
        """What people call these items, as far as it is known."""
        return {} if self.vocabulary is None else self.vocabulary.names_of(list(dict.fromkeys(items)))

    def html(self) -> str:
        """The page as one string."""
        parts = [
            _top,
            _views,
            _metrics,
            _curve,
            _baselines,
            _slices,
            _believed,
            _beyond,
            _ledger,
            _worst,
            _examples,
            _facts,
            _reading,
        ]
        return document(self.title, "".join(part(self) for part in parts))

    def write(self, path: Path | str) -> None:
        """Write the page, aside first and then renamed."""
        target = Path(path)
        aside = target.with_name(f".{target.name}.part")
        aside.write_text(self.html(), encoding="utf-8")
        aside.replace(target)


def _top(page: ReportPage) -> str:
    report, k = page.report, page.k
    time = report.ranks["time"]
    span = " to ".join(time.sort().gather([0, -1]).dt.strftime("%Y-%m-%d %H:%M").to_list())
    sentences = (*report.warnings, *page.warnings)
    warnings = "".join(f"<li>{text(sentence)}</li>" for sentence in sentences)
    return (
        f'<header><h1>{text(page.title)}</h1><p class="sub">'
        f"Next-item recommendation, full ranking. Test: {span} UTC.</p>"
        + tiles(
            {
                f"recall@{k}": (f"{report.recall[k]:.4f}", f"next item among the first {k}"),
                f"MRR@{k}": (f"{report.mrr[k]:.4f}", "mean of 1/rank"),
                "events": (f"{report.events:,}", f"of {report.sessions:,} sessions"),
                "unknown clicks": (f"{report.unknown:,}", COUNTED[report.unknown_rule]),
            }
        )
        + (f'<ul class="warnings">{warnings}</ul>' if warnings else "")
        + "</header>"
    )


def _views(page: ReportPage) -> str:
    if page.report.replay.is_empty():
        return ""
    rows = [
        [row["view"], NAMES[row["view"]], f"{row['events']:,}", *(_figure(row[name]) for name in METRICS)]
        for row in page.report.views().filter(k=page.k).iter_rows(named=True)
    ]
    shares = page.report.shares()
    told = (
        f"{shares['unknown_share']:.1%} of all clicks are on items that training does not know; "
        f"{shares['repeat_share']:.1%} of the known clicks are on an item that the session holds already."
    )
    if "tied_share" in shares:
        told += f" {shares['tied_share']:.1%} of neighbouring clicks have the same time."
    head = ["clicks", "which they are", "events", f"recall@{page.k}", f"MRR@{page.k}"]
    return section("Which clicks count", told, table(head, rows, words=2))


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _metrics(page: ReportPage) -> str:
    cutoffs = list(page.report.recall)
    found = intervals(page.report.ranks, ("recall", "mrr", "ndcg"), cutoffs, ties=page.report.ties)
    rows = [[k, *(_with_interval(row) for row in found.filter(k=k).iter_rows(named=True))] for k in cutoffs]
    return section(
        "Metrics",
        "Means over events, with 95 % intervals from a bootstrap over sessions.",
        table(["k", "recall@k", "MRR@k", "NDCG@k"], rows, words=0),
    )


def _with_interval(row: Mapping[str, float | None]) -> Html:
    span = "too few sessions" if row["low"] is None else f"{row['low']:.4f} – {row['high']:.4f}"
    return Html(f'{row["value"]:.4f} <span class="dim">{span}</span>')


def _curve(page: ReportPage) -> str:
    ledgers = {page.title: page.report.ranks, **page.baselines}
    series = {name: recall_curve(ranks, ties=page.report.ties) for name, ranks in ledgers.items()}
    return section(
        "Recall by list length",
        "How often the next item is among the first k; k on a logarithmic scale.",
        curves(series, "recall at k for k from 1 to 100"),
    )


def _baselines(page: ReportPage) -> str:
    if not page.baselines:
        return ""
    k = page.k
    tables = [
        compare_many(page.report.ranks, page.baselines, metric, k, ties=page.report.ties)
        for metric in ("recall", "mrr")
    ]
    mrr = {row["model"]: row for row in tables[1].iter_rows(named=True)}
    rows = [
        [row["model"], *_against(row), *_against(mrr[row["model"]])]
        for row in tables[0].iter_rows(named=True)
    ]
    head = ["model", f"recall@{k}", "ours minus it", "p", f"MRR@{k}", "ours minus it", "p"]
    return section(
        "Against other models",
        "Same events, paired by session; p from a permutation test, corrected after Holm over the models.",
        table(head, rows),
    )


def _against(row: Mapping[str, float]) -> list[Html]:
    span = "" if row["low"] is None else f"{-row['high']:+.4f} … {-row['low']:+.4f}"
    gain = f'{-row["difference"]:+.4f} <span class="dim">{span}</span>'
    return [
        Html(f"{row['b']:.4f}"),
        Html(gain),
        text("<0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}"),
    ]


def _slices(page: ReportPage) -> str:
    found = slices(page.report.ranks, page.k, ties=page.report.ties, first_seen=page.first_seen)
    top = float(found.select(pl.max_horizontal(pl.col("recall", "recall_high").max(), 1e-9)).item())
    cards = [
        bars(str(name), part.select("part", "recall", "recall_low", "recall_high", "events").rows(), top)
        for (name,), part in found.group_by("slice", maintain_order=True)
    ]
    return section(
        f"Where it is good: recall@{page.k} by part of the test",
        "Line: 95 % interval, from 10 sessions on. Right: recall and number of events.",
        f'<div class="cards">{"".join(cards)}</div>',
    )


def _believed(page: ReportPage) -> str:
    return "" if page.reliability is None else believed(page.reliability)


def _beyond(page: ReportPage) -> str:
    rows = [
        [name.replace("_", " "), METRIC_NOTES.get(name, ""), f"{value:,.4g}"]
        for name, value in page.list_metrics.items()
    ]
    return section("Beyond accuracy", "", table(["metric", "meaning", "value"], rows, words=2))


def _ledger(page: ReportPage) -> str:
    if page.data_ledger is None:
        return ""
    told = page.data_ledger.select(pl.exclude("^.*_before$"))
    rows = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in told.rows()]
    head = [name.replace("_", " ") for name in told.columns]
    return section("Data", "What each step of preparation left and removed.", table(head, rows))


def _worst(page: ReportPage) -> str:
    found = worst_sessions(page.report.ranks, ties=page.report.ties).rows(named=True)
    names = page.names_of(item for row in found for item in row["targets"][:12])
    rows = [
        [
            row["session_id"],
            chips(row["targets"][:12], names=names),
            row["events"],
            f"{row['mrr']:.5f}",
            f"{row['median_rank']:,.0f}",
        ]
        for row in found
    ]
    head = ["session", "items to be foretold", "events", "mean 1/rank", "median rank"]
    return section("Worst sessions", "Of three ranked events or more.", table(head, rows, words=2))


def _examples(page: ReportPage) -> str:
    if page.examples is None:
        return ""
    found = page.examples.rows(named=True)
    names = page.names_of(one for row in found for one in (*row["so_far"], *row["recommended"], row["next"]))
    cards = [
        f'<div class="card example"><dl>'
        f"<dt>session {text(row['session_id'])}</dt><dd>{chips(row['so_far'][-12:], names=names)}</dd>"
        f"<dt>recommended</dt><dd>{chips(row['recommended'], row['next'], names)}</dd>"
        f"<dt>came next</dt><dd>{chips([row['next']], names=names)}{_place(row['place'])}</dd></dl></div>"
        for row in found
    ]
    return section("Example recommendations", "Random test sessions before their last click.", *cards)


def _place(place: int | None) -> str:
    return (
        '<span class="dim">not in the list</span>'
        if place is None
        else f'<span class="dim">place {place}</span>'
    )


def _facts(page: ReportPage) -> str:
    return section("Parameters and facts", "", facts(page.facts))


def _reading(page: ReportPage) -> str:
    report = page.report
    unknown = {
        "drop": "Clicks on items outside the training vocabulary are removed before the replay.",
        "miss": "Every click from the second of its session on counts; one on an item outside the training "
        "vocabulary is a miss, and where all before it is outside, popularity answers.",
    }[report.unknown_rule]
    barred = (
        f" The item filter barred {report.excluded:,} targets; they count as misses."
        if report.excluded
        else ""
    )
    return (
        "<footer>At every event from a session's second on, all items of the training vocabulary are ranked. "
        f"Ties: {text(report.ties)}. {unknown}{barred} Means weigh every event alike.</footer>"
    )
