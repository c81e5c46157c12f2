"""Which model is better: a parent run's table and picture, and the stored rank ledgers of two runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import polars as pl

from recsys_gru.errors import TrackingError
from recsys_gru.evaluation import Report, read_ranks
from recsys_gru.evaluation.plots import plain
from recsys_gru.tracking.delivery import EXPERIMENT, Desk, Run, store_at
from recsys_gru.tracking.scratch import scratch
from recsys_gru.tracking.tracker import NOTE, shown

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

PICTURE, RANKS = "comparison.png", "ranks.parquet"
NEWEST = 50
"""Runs of one name that are looked through for a rank ledger."""


@final
@dataclass(frozen=True, eq=False)
class StoredRanks:
    """The rank ledger of a run, with the run's id and a label for people."""

    run: str
    label: str
    ranks: pl.DataFrame


def stored_ranks(where: str | os.PathLike[str], run: str, experiment: str = EXPERIMENT) -> StoredRanks:
    """The rank ledger of a run given by its id or name; of several of that name the newest that has one.

    Raises:
        TrackingError: if no such run has a rank ledger.
    """
    desk = Desk(store_at(where), experiment)
    for found in _candidates(desk, run):
        key = found.info.run_id
        if RANKS in {file.path for file in desk.client.list_artifacts(key)}:
            with scratch() as folder:
                ranks = read_ranks(desk.client.download_artifacts(key, RANKS, str(folder)))
            short = str(found.info.run_name).partition(" on ")[0]
            return StoredRanks(key, f"{short} {key[:6]}", ranks)
    raise TrackingError(
        f"expected the id or the name of an evaluated run in {where}, got {run!r}, which has no {RANKS}: "
        "take the id from the dashboard, or evaluate the model first"
    )


def _candidates(desk: Desk, run: str) -> "list[MlflowRun]":
    """The run of this id, else the newest runs of this name."""
    from mlflow.exceptions import MlflowException

    try:
        return [desk.client.get_run(run)]
    except MlflowException:  # no id; a name may hold anything, so it is compared here and not in a query
        newest = ["attributes.start_time DESC"]
        runs = desk.client.search_runs([desk.experiment], order_by=newest, max_results=1000)
        names = [(str(found.info.run_name), found) for found in runs]
        return [found for name, found in names if name == run or name.startswith(f"{run} on ")][:NEWEST]


def show_comparison(parent: Run, reports: Mapping[str, Report], data: str) -> None:
    """Describe the models' test figures on the parent run, best first."""
    parent.file(PICTURE, lambda path: draw(reports, path))
    picture = shown("Recall and MRR by model", PICTURE)
    title = f"Models compared on the last days of **{data}**, each a run below this one."
    parent.log(tags={NOTE: f"{title}\n\n{markdown(reports)}\n\n{picture}"})


def markdown(reports: Mapping[str, Report]) -> str:
    """The reports as a Markdown table, best MRR at the longest cut-off first."""
    names = by_merit(reports)
    cutoffs = list(reports[names[0]].recall)
    head = ["model", *(f"recall@{k}" for k in cutoffs), *(f"MRR@{k}" for k in cutoffs)]
    rows = [head, ["---"] * len(head)]
    for name in names:
        report = reports[name]
        rows.append(
            [name, *(f"{report.recall[k]:.4f}" for k in cutoffs), *(f"{report.mrr[k]:.4f}" for k in cutoffs)]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def by_merit(reports: Mapping[str, Report]) -> list[str]:
    """Names of the reports, best MRR at the longest cut-off first."""
    return sorted(reports, key=lambda name: -max(reports[name].mrr.items())[1])


def draw(reports: Mapping[str, Report], path: Path) -> None:
    """Draw recall and MRR at the longest cut-off, a bar for each model."""
    from matplotlib.figure import Figure

    names = by_merit(reports)[::-1]
    k = max(reports[names[0]].recall)
    figure = Figure(figsize=(8, 0.5 * len(names) + 1.2), layout="constrained")
    for axes, title, values in zip(
        figure.subplots(1, 2, sharey=True),
        (f"recall@{k}", f"MRR@{k}"),
        ([reports[name].recall[k] for name in names], [reports[name].mrr[k] for name in names]),
        strict=True,
    ):
        best = max(values)
        bars = axes.barh(
            [plain(name) for name in names],
            values,
            color=["#1f6f8b" if value == best else "#b8c9cf" for value in values],
        )
        axes.bar_label(bars, fmt="%.3f", padding=3)
        axes.set_title(title)
        axes.set_xlim(0, best * 1.2 or 1)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
