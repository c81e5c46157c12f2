"""Stage 4: challenger, champion and baselines rank the same events of the day."""

import math
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ..plumbing.settings import Settings
from ..plumbing.versions import named
from ..plumbing.workshop import Done, Facts, stage
from .champion import fresh_rival, registry_of, rival
from .day_run import DATA
from .sessions import TEST, TRAIN, sessions
from .train import load, new_model, train

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender, Report

FEWEST = 10
"""Requests that tell a latency, at least."""
CHALLENGER_RANKS, CHAMPION_RANKS = "ranks.parquet", "champion.parquet"


def inputs(day: date, settings: Settings) -> list[object]:
    """The challenger, the champion it meets, and how they are measured."""
    met = [rival(day, settings), fresh_rival(day, settings)]
    return [train.key(day, settings), met, settings.evaluate]


@stage("evaluate", inputs, sessions, train)
def evaluate(day: date, settings: Settings, folder: Path, data: Done, trained: Done) -> Facts:
    """Write the rank ledgers of all models, and what else the gate asks."""
    from recsys_gru import errors

    try:
        return _measured(day, settings, folder, data, trained)
    except errors.ClickLogError as error:  # one click, or clicks on unknown items only: the gate refuses that
        nothing: Facts = {"challenger": {}, "champion": {}, "baselines": {}}
        return {"events": 0, "unanswerable": str(error), "rival": rival(day, settings), **nothing}


def _measured(day: date, settings: Settings, folder: Path, data: Done, trained: Done) -> Facts:
    """All figures of the day.

    Raises:
        ClickLogError: if none of its clicks can be asked for.
    """
    import polars as pl

    fresh = {name: new_model(name) for name in settings.evaluate.baselines}
    test = pl.read_parquet(data.folder / TEST)
    challenger = load(settings, trained)
    report = _ranked(challenger, test, settings, folder / CHALLENGER_RANKS)
    _note(challenger, test, report, folder)
    version = rival(day, settings)
    champion: Facts = {}
    standing, met = _rival(day, settings)
    if standing is not None:
        champion = _metrics(_ranked(standing, test, settings, folder / CHAMPION_RANKS))
    train_set = pl.read_parquet(data.folder / TRAIN)
    baselines = {
        name: _ranked(model.fit(train_set), test, settings, folder / f"baseline-{name}.parquet")
        for name, model in fresh.items()
    }
    if settings.evaluate.page:
        _write_page(day, challenger, (train_set, test), report, baselines, folder)
    return {
        "events": report.events,
        "unknown_share": report.unknown / test.height,
        "rival": version,
        "met": met,
        "challenger": _metrics(report),
        "notes": report.notes() if report.events else {},
        "champion": champion,
        "baselines": {name: _metrics(found) for name, found in baselines.items()},
        **coverage_of(challenger, test, settings.gate.k),
        **latency_of(challenger, test, settings.evaluate.latency_requests),
    }


def _rival(day: date, settings: Settings) -> "tuple[Recommender | None, str]":
    """The model that the challenger meets, and its name: the champion, or what it was that morning."""
    from recsys_gru import load

    version, number = rival(day, settings), fresh_rival(day, settings)
    stood = None if version is None or number is None else named(settings, number)
    if stood is not None:
        until = f"learned until {stood.until:%Y-%m-%d %H:%M}"
        return load(stood.model), f"fresh version {stood.number} from version {stood.base}, {until}"
    if version is None:
        return None, "none"
    return registry_of(settings).load(version), f"version {version}"


def _ranked(model: "Recommender", test: "pl.DataFrame", settings: Settings, path: Path) -> "Report":
    import recsys_gru

    unknown = "drop" if settings.evaluate.unknown == "drop" else "miss"
    report = recsys_gru.evaluate(model, test, settings.evaluate.cutoffs, unknown=unknown)  # type: ignore[arg-type]
    recsys_gru.write_ranks(report.ranks, path)
    return report


def _note(model: "Recommender", test: "pl.DataFrame", report: "Report", folder: Path) -> None:
    """Test data, figures and their intervals, for the day's run."""
    from recsys_gru import as_sessions
    from recsys_gru.tracking import Notebook, Run, part_of, test_figures

    run, sessions = Run(Notebook(folder)), as_sessions(test, model.vocabulary_)
    run.feed(sessions, DATA, "test")
    if report.events:
        metrics, counts = test_figures(report)
        run.log(metrics, tags=counts | part_of(sessions, report))


def _metrics(report: "Report") -> Facts:
    return {name: value for name, value in report.to_dict().items() if "_at_" in name}


def coverage_of(model: "Recommender", test: "pl.DataFrame", k: int, *, every: bool = True) -> Facts:
    """What the lists of k items after each click of a log cover, or after the last of each session."""
    from recsys_gru import list_metrics, recommendation_lists

    shown = list_metrics(recommendation_lists(model, test, k, every=every))
    return {name: shown[name] for name in ("coverage", "gini", "average_popularity")}


def latency_of(
    model: "Recommender", test: "pl.DataFrame", requests: int, most_seconds: float = math.inf
) -> Facts:
    """Times of single requests in milliseconds, one after the other, and how many there were.

    Args:
        most_seconds: once they have taken so long no more are made, after the first FEWEST.
    """
    import numpy as np
    import polars as pl

    asked = test.group_by("session_id").agg(pl.col("item_id").sort_by("time")).sort("session_id")
    sessions_asked = asked["item_id"].head(requests).to_list()
    model.recommend_one(sessions_asked[0])  # the first request loads what the others find loaded
    seconds: list[float] = []
    for items in sessions_asked:
        if len(seconds) >= FEWEST and sum(seconds) >= most_seconds:
            break
        began = time.perf_counter()
        model.recommend_one(items)
        seconds.append(time.perf_counter() - began)
    half, most = np.quantile(seconds, [0.5, 0.99]) * 1000
    return {"latency_p50_ms": float(half), "latency_p99_ms": float(most), "latency_requests": len(seconds)}


def _write_page(
    day: date,
    challenger: "Recommender",
    data: "tuple[pl.DataFrame, pl.DataFrame]",
    report: "Report",
    baselines: "dict[str, Report]",
    folder: Path,
) -> None:
    from recsys_gru.evaluation import report_page, write_report

    train_set, test = data
    page = report_page(
        f"Challenger of {day}", challenger, test, report,
        baselines=baselines, train=train_set, facts=challenger.parameters(),
    )  # fmt: skip
    write_report(page, folder)
