"""A parent run's page: the table and the picture that tell which of its models is better."""

from collections.abc import Mapping
from pathlib import Path

from recsys_gru.evaluation import Report
from recsys_gru.tracking.records import RUN_ID
from recsys_gru.tracking.run import Run

PICTURE = "comparison.png"


def show_comparison(parent: Run, reports: Mapping[str, Report], data: str) -> None:
    """Describe the models' test figures on the parent run, best first."""
    parent.file(PICTURE, lambda path: draw(reports, path))
    picture = f"![Recall and MRR by model](get-artifact?path={PICTURE}&run_uuid={RUN_ID})"
    title = f"Models compared on the last days of **{data}**, each a run below this one."
    parent.log(tags={"mlflow.note.content": f"{title}\n\n{markdown(reports)}\n\n{picture}"})


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
        bars = axes.barh(names, values, color=["#1f6f8b" if value == best else "#b8c9cf" for value in values])
        axes.bar_label(bars, fmt="%.3f", padding=3)
        axes.set_title(title)
        axes.set_xlim(0, best * 1.2 or 1)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
