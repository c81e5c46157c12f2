"""From a model and its report to the page and the files that are kept with a run."""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import polars as pl

from recsys_gru.evaluation.cases import example_recommendations
from recsys_gru.evaluation.ledger import write_ranks
from recsys_gru.evaluation.lists import list_metrics, recommendation_lists
from recsys_gru.evaluation.page import ReportPage
from recsys_gru.evaluation.plots import draw_recall_curves, draw_slices
from recsys_gru.evaluation.reliability import gives_probabilities, reliability
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.sanity import warnings_of
from recsys_gru.evaluation.slices import first_seen, slices
from recsys_gru.ranking import ItemFilter, Scorer, context_of
from recsys_gru.sessions import SessionData, as_sessions

NEW = timedelta(days=7)
"""How long an item counts as new."""
ONLY_MISSES = "no session has two known clicks: nothing but clicks on unknown items was ranked, each a miss"


def report_page(
    title: str,
    model: Scorer,
    test: SessionData,
    report: Report,
    *,
    baselines: Mapping[str, Report] | None = None,
    train: pl.DataFrame | pl.LazyFrame | None = None,
    data_ledger: pl.DataFrame | None = None,
    facts: Mapping[str, object] | None = None,
    items: ItemFilter | None = None,
    believed: bool = True,
) -> ReportPage:
    """Gather everything the report page tells about a model.

    Args:
        title: the page's heading.
        model: the model the report is about; its lists and examples are made here, and where its scores are
            probabilities, what came of them.
        test: the test part the report was made of.
        report: what ``evaluate`` gave.
        baselines: reports of other models on the same test, by name.
        train: events of the training part; adds what is said of new items.
        data_ledger: what each step of preparation removed.
        facts: parameters and the like.
        items: the filter the report was made with; the lists and examples keep it too.
        believed: hold probabilities, where the model gives some, against what came; it answers once more.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> model = rg.Markov().fit(train)
    >>> page = report_page("Markov", model, test, rg.evaluate(model, test), train=train)
    >>> "<h1>Markov</h1>" in page.html()
    True
    """
    sessions = as_sessions(test, vocabulary=model.vocabulary_, context=context_of(model))
    listed = bool((sessions.lengths > 1).any())  # with misses counted, every ranked event may be unknown
    k = max(report.recall)
    metrics: dict[str, float] = {}
    if listed:
        lists = recommendation_lists(model, sessions, k, items=items)
        metrics = list_metrics(lists, None if train is None else _new_items(train))
    return ReportPage(
        title,
        report,
        baselines={name: other.ranks for name, other in (baselines or {}).items()},
        list_metrics=metrics,
        warnings=warnings_of(report.ranks, metrics) if listed else [ONLY_MISSES],
        data_ledger=data_ledger,
        examples=example_recommendations(model, sessions, items=items, least=2) if listed else None,
        facts=facts or {},
        first_seen=None if train is None else first_seen(train),
        reliability=reliability(model, sessions, k)
        if believed and listed and gives_probabilities(model)
        else None,
        vocabulary=model.vocabulary_,
    )


def _new_items(train: pl.DataFrame | pl.LazyFrame) -> list[int | str]:
    """Ids of the items whose first event lies less than ``NEW`` before the end of training."""
    end = train.lazy().select(pl.col("time").max()).collect().item()
    return first_seen(train).filter(pl.col("first_seen") > end - NEW)["item_id"].to_list()


def write_report(page: ReportPage, folder: Path | str, pictures: bool = True) -> list[Path]:
    """Write report.html, report.json, ranks.parquet, and unless without ``pictures`` recall_curve.png and
    slices.png into a folder; the page shows the same curves by itself.

    Returns:
        The paths written.
    """
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    html, plain, ranks = paths = [home / name for name in ("report.html", "report.json", "ranks.parquet")]
    page.write(html)
    beyond = {name: None if math.isnan(value) else value for name, value in page.list_metrics.items()}
    if page.reliability is not None:
        beyond["calibration_error"] = page.reliability.calibration_error
    views = page.report.views().to_dicts() if not page.report.replay.is_empty() else []
    warnings = [*page.report.warnings, *page.warnings]
    told = {**page.report.to_dict(), **beyond, "views": views, "warnings": warnings}
    plain.write_text(json.dumps(told, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    write_ranks(page.report.ranks, ranks)
    return [*paths, *_draw(page, home)] if pictures else paths


def _draw(page: ReportPage, home: Path) -> list[Path]:
    curve, parts = home / "recall_curve.png", home / "slices.png"
    draw_recall_curves({page.title: page.report.ranks, **page.baselines}, curve)
    draw_slices(slices(page.report.ranks, page.k, ties=page.report.ties, first_seen=page.first_seen), parts)
    return [curve, parts]
