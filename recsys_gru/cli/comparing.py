"""`demo` and `compare`: the GRU beside the baselines on one log, or one tracked run beside another."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_gru.cli.calling import program
from recsys_gru.cli.facts import ItemsFile, items_options
from recsys_gru.cli.options import (
    Log,
    optional_log_options,
    parameters_option,
    parse_parameters,
    test_days_option,
    threads_option,
    tracking_option,
    verify_option,
)
from recsys_gru.errors import TrackingError, without_secrets

if TYPE_CHECKING:
    from recsys_gru.cli.preparing import Prepared
    from recsys_gru.contract import Recommender
    from recsys_gru.evaluation import Report, ReportPage
    from recsys_gru.facts import CheckedItems
    from recsys_gru.sessions import Sessions
    from recsys_gru.tracking import Tracker

BASELINES = ("Popularity", "Markov", "ItemKNN", "VSKNN")
DEMO_FOLDER, REPORT = Path("demo/model"), Path("demo/report.html")
OURS, WITH_FACTS = "Blend", "GRU4Rec with facts"
EXAMPLES = 5
MADE_UP = "made up: few items are clicked often, and what was clicked says what comes next"


@click.command()
@optional_log_options
@verify_option
@click.argument("run_b", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("comparison.png"),
    show_default=True,
    help="Picture of two runs' differences.",
)
@test_days_option
@parameters_option
@items_options
@threads_option
@tracking_option
def compare(
    log: Log,
    run_b: str | None,
    out: Path,
    test_days: float | None,
    parameters: tuple[str, ...],
    items: ItemsFile,
    where: str,
) -> None:
    """Fit GRU4Rec, baselines and a blend of them on CLICKS, or compare two evaluated runs: RUN_A RUN_B.

    With --items there is a GRU4Rec that learns facts about items too, beside the one without.

    A run is given by its id or its name, which means the newest of that name with a rank ledger. Both are
    compared event by event from their stored ledgers, without scoring again; a picture goes to --out.
    """
    if run_b is None:
        compared(log, test_days, parse_parameters(parameters, "GRU4Rec"), where, items)
    else:
        compared_runs(str(log.clicks), run_b, where, out)


@click.command()
@optional_log_options
@verify_option
@test_days_option
@parameters_option
@items_options
@threads_option
@tracking_option
def demo(
    log: Log, test_days: float | None, parameters: tuple[str, ...], items: ItemsFile, where: str
) -> None:
    """Do the main job: fit, compare, recommend and track, on CLICKS or on a made-up log.

    The recommended blend is kept, or with --items the GRU4Rec that has learned facts.
    """
    from recsys_gru.cli.examples import show_examples

    done = compared(log, test_days, parse_parameters(parameters, "GRU4Rec"), where, items)
    show_examples(done.model, done.test, EXAMPLES)
    figures, notes = done.page.report.figures(), done.page.report.notes()
    done.model.save(DEMO_FOLDER, metrics=figures, metadata=notes)
    done.page.write(REPORT)
    us = program()
    click.echo(f"\nreport     {REPORT}     intervals, where it is good, examples: open it in a browser")
    click.echo(f"model      {DEMO_FOLDER}/     {us} recommend {DEMO_FOLDER} --items ID,ID,...")
    click.echo(f"registry   {registered(done, where)}")
    click.echo(f"service    {us} serve     needs recsys-gru[serve]; a page to play with, the model over HTTP")
    click.echo(f"dashboard  {us} dashboard     the runs lie in {without_secrets(where)}")
    click.echo(f"compare    {us} compare Markov GRU4Rec     any two runs, by name or id")


def registered(done: "Compared", where: str) -> str:
    """Register the model, the first one as champion; a store that is down does not spoil the demo."""
    from recsys_gru.tracking import Registry

    try:
        registry = Registry(where)
        report, run = done.page.report, done.tracker.run_of(done.model)
        version = registry.register(done.model, run=run, metrics=report.figures(), notes=report.notes())
        if registry.version_of("champion") is None:
            registry.promote(version, "the first version")
    except TrackingError as error:
        return f"not reached: {error}"
    serve = f"{program('mlflow')} models serve -m models:/{registry.name}@champion"
    return f"models:/{registry.name}/{version}     {serve}"


@dataclass(frozen=True)
class Compared:
    """What a comparison leaves: the recommended blend (the GRU with facts, where there are some), the test
    sessions, the report page and where the runs are."""

    model: "Recommender"
    test: "Sessions"
    page: "ReportPage"
    tracker: "Tracker"


def compared(
    log: Log, test_days: float | None, parameters: dict[str, object], where: str, items: ItemsFile
) -> Compared:
    """Prepare the log, fit and evaluate each model inside a tracking run, and print all of it."""
    from recsys_gru import tracking
    from recsys_gru.cli import parting, printing
    from recsys_gru.clicks import Ledger
    from recsys_gru.evaluation import report_page, write_report
    from recsys_gru.tracking.comparison import show_comparison

    ledger = Ledger()
    click.echo(f"log        {log.clicks or MADE_UP}")
    prepared = parting.parts(log, test_days, ledger)
    printing.show_prepared(prepared)
    with tracking.run(where, name=tracking.dated(f"compare {log.name}"), data=log.name) as tracker:
        checked = items.read(prepared.train.vocabulary)
        prepared = prepared.naming(checked)
        models = fitted_models(prepared, parameters, checked)
        reports = {name: tested(model, prepared) for name, model in models.items()}
        show_comparison(tracker.parent, reports, log.name)
        name = WITH_FACTS if WITH_FACTS in models else OURS
        model = models[name]
        page = report_page(
            f"{name} on {log.name}",
            model,
            prepared.test,
            reports[name],
            baselines={other: reports[other] for other in (*BASELINES, "GRU4Rec")},
            train=prepared.train.events(),
            data_ledger=printing.in_words(ledger).table(),
            facts=model.parameters(),
        )
        tracker.run_of(model).file("report", partial(write_report, page))  # in place of its own
    printing.show_reports(reports)
    return Compared(model, prepared.test, page, tracker)


def compared_runs(run_a: str, run_b: str, where: str, out: Path) -> None:
    """Print and draw the paired comparison of two runs' rank ledgers."""
    from recsys_gru.cli.preparing import make_folder
    from recsys_gru.cli.printing import show_comparison
    from recsys_gru.evaluation import compare as compare_ranks
    from recsys_gru.evaluation import draw_comparison
    from recsys_gru.tracking.comparison import stored_ranks

    a, b = stored_ranks(where, run_a), stored_ranks(where, run_b)
    found = compare_ranks(a.ranks, b.ranks)
    show_comparison(found, a, b)
    make_folder(out.parent)
    draw_comparison(found, out, (a.label, b.label))
    click.echo(f"drawn in {out}")


def fitted_models(
    prepared: "Prepared", parameters: dict[str, object], items: "CheckedItems | None" = None
) -> "dict[str, Recommender]":
    """The baselines, the GRU, and the recommended blend, which takes over those of them that it asks for;
    with facts about items one more GRU, which knows them."""
    from recsys_gru.cli.fitting import fit_aloud
    from recsys_gru.cli.models import new_model

    click.echo("")
    models = {name: new_model(name, {}) for name in BASELINES} | {"GRU4Rec": new_model("GRU4Rec", parameters)}
    for model in models.values():
        fit_aloud(model, prepared.train, prepared.validation)
    models[OURS] = blended(models, prepared)
    if items is not None:
        knowing = new_model("GRU4Rec", parameters)
        models[WITH_FACTS] = fit_aloud(knowing, prepared.train, prepared.validation, items)
    return models


def blended(fitted: "dict[str, Recommender]", prepared: "Prepared") -> "Recommender":
    """The recommended blend of models that are fitted and, silently, those that are missing."""
    from recsys_gru.blend import Blend, recommended
    from recsys_gru.observers import unheard

    waiting: dict[str, Recommender | None] = {**fitted}  # each is a member once: of two networks the first
    with unheard():
        members = [
            waiting.pop(type(member).__name__, None) or member.fit(prepared.train)
            for member in recommended().members()
        ]
        blend = Blend.of(members, prepared.validation)
    click.echo(f"blended    {', '.join(type(member).__name__ for member in members)}")
    return blend


def tested(model: "Recommender", prepared: "Prepared") -> "Report":
    """The test report of a fitted model."""
    from recsys_gru.evaluation import evaluate

    return evaluate(model, prepared.test, unknown="miss")
