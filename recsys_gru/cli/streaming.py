"""`prequential`: how good a model is that goes on learning while it is used."""

import functools
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_gru.cli.options import (
    LENGTH,
    MOST_DAYS,
    Amount,
    Log,
    best_model_option,
    log_options,
    parameters_option,
    parse_parameters,
    threads_option,
    tracking_option,
)

if TYPE_CHECKING:
    from recsys_gru.evaluation import Prequential


@click.command()
@log_options
@best_model_option
@parameters_option
@click.option(
    "--every",
    type=Amount(0, MOST_DAYS * 24 * 60, min_open=True),
    default=60.0,
    show_default=True,
    help="Minutes of a period.",
)
@click.option(
    "--test-days",
    type=Amount(0, MOST_DAYS, min_open=True),
    default=1.0,
    show_default=True,
    help="Days at the log's end to foretell and learn; what is before them is learned first.",
)
@click.option(
    "--k", "cutoffs", type=LENGTH, multiple=True, default=(20,), show_default=True, help="List length."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("prequential"),
    show_default=True,
    help="Folder of the page.",
)
@threads_option
@tracking_option
def prequential(
    log: Log,
    kind: str | None,
    parameters: tuple[str, ...],
    every: float,
    test_days: float,
    cutoffs: tuple[int, ...],
    out: Path,
    where: str,
) -> None:
    """Foretell the last days of a log period by period, learning each after it was foretold, and beside that
    by the same model frozen.
    """
    import recsys_gru as rg
    from recsys_gru import tracking
    from recsys_gru.cli import preparing
    from recsys_gru.cli.fitting import fit_aloud
    from recsys_gru.cli.models import best_kind, new_model
    from recsys_gru.evaluation.stream_page import StreamPage

    kind = best_kind(kind, bool(parameters))
    model = new_model(kind, parse_parameters(parameters, kind))
    preparing.make_folder(out)
    ledger = rg.Ledger()
    checked = preparing.read(log, ledger)
    events = preparing.events_of(log, checked)
    split = preparing.cut(events, test_days, ledger)
    train = rg.Sessions.from_events(preparing.filtered(log, split.train, ledger))
    length = timedelta(minutes=every)
    with tracking.run(where, name=tracking.dated(f"prequential {log.name}"), data=log.name):
        model = fit_aloud(model, train)
        follow = functools.partial(
            rg.prequential, clicks=events, every=length, start=split.cut, cutoffs=cutoffs
        )
        frozen = follow(model, learn=False)  # first: the other one changes the model
        reports = {"learning": follow(model, progress=sys.stderr.isatty()), "frozen": frozen}
    show_stream(reports)
    page = StreamPage(f"{kind} on {log.name}, learning every {every:g} minutes", reports)
    page.write(out / "prequential.html")
    reports["learning"].periods.write_csv(out / "periods.csv")
    click.echo(f"written    {out / 'prequential.html'}, {out / 'periods.csv'}")


def show_stream(reports: "dict[str, Prequential]") -> None:
    """A line for each period, and both models over all of them."""
    from recsys_gru.cli.printing import table

    learning, frozen = reports["learning"], reports["frozen"]
    k = max(learning.recall)
    rows = []
    for row, other in zip(
        learning.periods.iter_rows(named=True), frozen.periods.iter_rows(named=True), strict=True
    ):
        figures = [one[f"{gain}_at_{k}"] for one in (row, other) for gain in ("recall", "mrr")]
        cells = ["-" if figure is None else f"{figure:.4f}" for figure in figures]
        counts = [f"{row['events']:,}", f"{row['unknown']:,}"]
        rows.append([f"{row['start']:%m-%d %H:%M}", *counts, *cells, f"{row['seconds']:.2f}"])
    whole = [f"{one[k]:.4f}" for report in (learning, frozen) for one in (report.recall, report.mrr)]
    total = f"{learning.periods['seconds'].sum():.2f}"
    rows.append(["all", f"{learning.events:,}", f"{learning.unknown:,}", *whole, total])
    head = [
        "begins, UTC",
        "clicks",
        "unknown",
        f"recall@{k}",
        f"MRR@{k}",
        "frozen",
        "frozen MRR",
        "s to learn",
    ]
    click.echo(f"\n{table(head, rows)}")
    click.echo(
        "every click from the second of its session on; on an item unknown when its period began, a miss"
    )
    for warning in learning.warnings:
        click.echo(f"warning    {warning}", err=True)
