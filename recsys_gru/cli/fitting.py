"""`fit` and `evaluate`: one model, one log."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_gru.cli.doors import require_room_for_model
from recsys_gru.cli.options import (
    Log,
    log_options,
    model_option,
    parameters_option,
    parse_parameters,
    threads_option,
    tracking_option,
)

if TYPE_CHECKING:
    from recsys_gru.contract import Recommender
    from recsys_gru.sessions import Sessions


@click.command()
@log_options
@model_option
@parameters_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("model"), show_default=True, help="Folder to save."
)
@threads_option
@tracking_option
def fit(log: Log, kind: str, parameters: tuple[str, ...], out: Path, where: str) -> None:
    """Fit a model on the whole of a click log and save it."""
    from recsys_gru import tracking
    from recsys_gru.cli import preparing, printing
    from recsys_gru.cli.models import new_model
    from recsys_gru.clicks import Ledger
    from recsys_gru.sessions import Sessions, filter_sessions

    require_room_for_model(out)
    ledger = Ledger()
    checked = preparing.read(log, ledger)
    printing.show_checked(checked)
    events = preparing.events_of(log, checked)
    train = Sessions.from_events(filter_sessions(events, log.min_support, log.min_length, ledger))
    with tracking.run(where, name=f"fit {log.name}", data=log.name):
        model = fit_aloud(new_model(kind, parse_parameters(parameters)), train)
    model.save(out)
    click.echo(f"saved in {out}/")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@log_options
@click.option(
    "--k", "cutoffs", type=int, multiple=True, default=(5, 10, 20), show_default=True, help="List length."
)
@click.option("--unknown", type=click.Choice(["drop", "miss"]), default="drop", show_default=True)
@threads_option
@tracking_option
def evaluate(folder: Path, log: Log, cutoffs: tuple[int, ...], unknown: str, where: str) -> None:
    """Test the model in FOLDER on every session of a click log."""
    from recsys_gru import tracking
    from recsys_gru.cli import preparing, printing
    from recsys_gru.cli.models import load_model
    from recsys_gru.clicks import Ledger
    from recsys_gru.evaluation import evaluate as evaluate_on
    from recsys_gru.sessions import Sessions

    model = load_model(folder)
    checked = preparing.read(log, Ledger())
    printing.show_checked(checked)
    test = Sessions.from_events(preparing.events_of(log, checked), model.vocabulary_)
    with tracking.run(where, name=f"evaluate {log.name}", data=log.name):
        report = evaluate_on(model, test, cutoffs, unknown="miss" if unknown == "miss" else "drop")
    printing.show_reports({type(model).__name__: report})


def fit_aloud(model: "Recommender", train: "Sessions", validation: "Sessions | None" = None) -> "Recommender":
    """Fit; a model that learns in epochs prints a line for each, and a bar on a terminal."""
    from recsys_gru.cli.printing import epoch_line
    from recsys_gru.recommender import GRU4Rec

    if not isinstance(model, GRU4Rec):
        model.fit(train, validation)
        click.echo(f"fitted     {in_short(model)}")
        return model
    click.echo(f"fitting    {in_short(model)}")
    return model.fit(train, validation, on_epoch=epoch_line(model.n_epochs), progress=sys.stderr.isatty())


def in_short(model: "Recommender") -> str:
    """The model with those of its hyper-parameters that are not the defaults."""
    usual = type(model)().parameters()
    own = {name: value for name, value in model.parameters().items() if value != usual[name]}
    return f"{type(model).__name__}({', '.join(f'{name}={value!r}' for name, value in own.items())})"
