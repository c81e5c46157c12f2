"""`fit` and `evaluate`: one model, one log."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_gru.cli.company import company
from recsys_gru.cli.doors import require_room_for_model
from recsys_gru.cli.facts import ItemsFile, items_options
from recsys_gru.cli.options import (
    LENGTH,
    Log,
    best_model_option,
    engine_option,
    last_days_option,
    log_options,
    parameters_option,
    parse_parameters,
    threads_option,
    tracking_option,
    verify_option,
)
from recsys_gru.errors import ParameterError

if TYPE_CHECKING:
    from recsys_gru.contract import Recommender
    from recsys_gru.evaluation.replay import UnknownRule
    from recsys_gru.facts import CheckedItems
    from recsys_gru.sessions import Sessions
    from recsys_gru.training import Parallel


@click.command()
@log_options
@verify_option
@best_model_option
@parameters_option
@items_options
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("model"), show_default=True, help="Folder to save."
)
@last_days_option("Days at the log's end to leave out, for a test; else the whole log is learned.")
@threads_option
@tracking_option
@click.option(
    "--parallel",
    type=click.Choice(["fast", "exact", "divided"]),
    help="Train in the processes that torchrun has started: docs/parallel.md.",
)
def fit(
    log: Log,
    kind: str | None,
    parameters: tuple[str, ...],
    items: ItemsFile,
    out: Path,
    test_days: float | None,
    where: str,
    parallel: "Parallel | None",
) -> None:
    """Fit a model on a click log, the whole of it or all but its last days, and save it.

    The model is the recommended one, a blend of networks and baselines; `--model GRU4Rec` is its network
    alone, in half the time, and answers in a quarter of the blend's.
    """
    from recsys_gru import tracking
    from recsys_gru.cli import parting
    from recsys_gru.cli.models import best_kind, new_model
    from recsys_gru.clicks import Ledger

    require_room_for_model(out)
    kind = best_kind(kind, bool(parameters or items.path or parallel))
    model = new_model(kind, parse_parameters(parameters, kind))
    with company(parallel) as speaks:
        train = parting.training(log, test_days, Ledger())
        name = tracking.dated(f"fit {log.name}")
        with tracking.run(where, name=name, data=log.name) if speaks else nullcontext():
            model = fit_aloud(model, train, items=items.read(train.vocabulary), parallel=parallel)
        if speaks or parallel == "divided":
            model.save(out)
        click.echo(f"saved in {out}/")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@log_options
@verify_option
@click.option(
    "--k",
    "cutoffs",
    type=LENGTH,
    multiple=True,
    default=(5, 10, 20),
    show_default=True,
    help="List length.",
)
@click.option(
    "--unknown",
    type=click.Choice(["miss", "drop"]),
    default="miss",
    show_default=True,
    help="Clicks on items that the model does not know: count as misses, or leave out.",
)
@last_days_option("Days at the log's end to test on; else on all of it.")
@engine_option
@threads_option
@tracking_option
def evaluate(
    folder: Path,
    log: Log,
    cutoffs: tuple[int, ...],
    unknown: str,
    test_days: float | None,
    engine: str,
    where: str,
) -> None:
    """Test the model in FOLDER on the sessions of a click log, all of them or those of its last days."""
    from recsys_gru import tracking
    from recsys_gru.cli import parting, printing
    from recsys_gru.cli.models import load_model
    from recsys_gru.evaluation import evaluate as evaluate_on

    model = load_model(folder)
    test = parting.testing(log, test_days, model.vocabulary_)
    with tracking.run(where, name=tracking.dated(f"evaluate {log.name}"), data=log.name):
        rule: UnknownRule = "drop" if unknown == "drop" else "miss"
        report = evaluate_on(model, test, cutoffs, unknown=rule, engine=engine)
    printing.show_reports({type(model).__name__: report})


def fit_aloud(
    model: "Recommender",
    train: "Sessions",
    validation: "Sessions | None" = None,
    items: "CheckedItems | None" = None,
    parallel: "Parallel | None" = None,
) -> "Recommender":
    """Fit; a model that learns in epochs prints a line for each, and a bar on a terminal.

    Raises:
        ParameterError: if processes are to train together what is no network.
    """
    from recsys_gru.cli.facts import show_encoding
    from recsys_gru.cli.printing import epoch_line
    from recsys_gru.recommender import GRU4Rec

    if not isinstance(model, GRU4Rec):
        if parallel is not None:
            raise ParameterError(f"--parallel trains GRU4Rec, not {type(model).__name__}: leave it out")
        model.fit(train, validation, items=items)
        click.echo(f"fitted     {in_short(model)}")
        return model
    click.echo(f"fitting    {in_short(model)}")
    tell, progress = epoch_line(model.n_epochs), sys.stderr.isatty()
    model.fit(train, validation, items=items, on_epoch=tell, progress=progress, parallel=parallel)
    if model.encoding_ is not None:
        show_encoding(model.encoding_)
    return model


def in_short(model: "Recommender") -> str:
    """The model with those of its hyper-parameters that are not the defaults."""
    usual = type(model)().parameters()
    own = {name: value for name, value in model.parameters().items() if value != usual[name]}
    return f"{type(model).__name__}({', '.join(f'{name}={value!r}' for name, value in own.items())})"
