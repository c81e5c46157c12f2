"""`tune`: search hyper-parameters, refit the best, test it once."""

from pathlib import Path

import click

from recsys_gru.cli.doors import require_room_for_model
from recsys_gru.cli.options import (
    MODELS,
    Log,
    engine_option,
    log_options,
    parameters_option,
    parse_parameters,
    test_days_option,
    threads_option,
    tracking_option,
    verify_option,
)


@click.command()
@log_options
@verify_option
@click.option(
    "--model",
    "kind",
    type=click.Choice(MODELS),
    default="GRU4Rec",
    show_default=True,
    help="Which recommender.",
)
@parameters_option
@test_days_option
@click.option(
    "--trials",
    type=click.IntRange(1, 2**31 - 1),
    default=30,
    show_default=True,
    help="Trials in all, those of an interrupted call included.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=42,
    show_default=True,
    help="Of the search; give each parallel process its own.",
)
@click.option("--study", default=None, help="Name to resume under, or to share among processes.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("model"), show_default=True, help="Folder to save."
)
@engine_option
@threads_option
@tracking_option
def tune(
    log: Log,
    kind: str,
    parameters: tuple[str, ...],
    test_days: float | None,
    trials: int,
    seed: int,
    study: str | None,
    out: Path,
    engine: str,
    where: str,
) -> None:
    """Search a model's hyper-parameters by validation MRR@20; refit the best and test it once.

    A --param stays fixed, all others in the model's search space are tuned. Call it again to go on with an
    interrupted study; call it several times at once to share the work.
    """
    from recsys_gru.cli import parting, printing
    from recsys_gru.clicks import Ledger
    from recsys_gru.tracking.tuning import Search, refit, search

    require_room_for_model(out)
    fixed, ledger = parse_parameters(parameters, kind), Ledger()
    asked = Search(kind, fixed, trials, study or f"{kind} on {log.name}", log.name, seed)
    asked.space()
    prepared, final = parting.search_parts(log, test_days, ledger)
    printing.show_prepared(prepared)
    asked = asked.of(prepared.train, prepared.validation)
    best = search(asked, prepared.train, prepared.validation, where=where, say=click.echo, engine=engine)
    model, report = refit(asked, best, *final(), where)
    printing.show_reports({type(model).__name__: report})
    model.save(out)
    click.echo(f"saved in {out}/")
