"""`dashboard`, `register` and `prune`: the MLflow store."""

import os
from datetime import timedelta
from pathlib import Path

import click

from recsys_gru.cli.options import threads_option, tracking_option

PARTS_SHOWN = 5


@click.command()
@tracking_option
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=5000, show_default=True, help="Port on this machine."
)
@click.option("--experiment", help="The one to open; else the usual one, or that of the newest run.")
def dashboard(where: str, port: int, experiment: str | None) -> None:
    """Open the MLflow pages of a local store on http://127.0.0.1:PORT until interrupted."""
    from recsys_gru.tracking.dashboard import experiment_shown, parts_tested, runs_url, server_command

    command, surroundings = server_command(where, port)
    shown = experiment_shown(where, experiment)
    parts = parts_tested(where, shown)
    click.echo("In a moment, until Ctrl-C; runs of one test part are on one page, the newest first:")
    for part in parts[:PARTS_SHOWN]:
        click.echo(f"  {part}\n    {runs_url(where, port, part, shown)}")
    click.echo(f"  all runs\n    {runs_url(where, port, experiment=shown)}")
    os.execve(command[0], command, surroundings)  # noqa: S606 - so that a signal reaches the server itself


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default="gru4rec", show_default=True, help="Registered model.")
@click.option(
    "--alias", type=click.Choice(["champion", "challenger"]), default="challenger", show_default=True
)
@threads_option
@tracking_option
def register(folder: Path, name: str, alias: str, where: str) -> None:
    """Put the saved model in FOLDER into the registry, as something `mlflow models serve` can serve."""
    from recsys_gru.cli.models import load_model
    from recsys_gru.contract import read_manifest
    from recsys_gru.tracking.registry import Registry

    model, kept = load_model(folder), read_manifest(folder)
    version = Registry(where, name).register(model, alias=alias, metrics=kept.metrics, notes=kept.metadata)
    click.echo(f"{name} version {version}, alias {alias}: models:/{name}@{alias}")


@click.command()
@click.option(
    "--keep-days",
    type=click.IntRange(0, 36_500),
    default=30,
    show_default=True,
    help="Runs younger than this stay.",
)
@click.option("--yes", is_flag=True, help="Really remove; without it, only say what would go.")
@tracking_option
def prune(keep_days: int, yes: bool, where: str) -> None:
    """Remove old runs with their files; never the champion's or challenger's, nor the runs above them."""
    from recsys_gru.tracking.retention import find_old, remove

    old = find_old(where, timedelta(days=keep_days))
    for run in old:
        click.echo(f"{run.began:%Y-%m-%d %H:%M}  {run.id}  {run.name}")
    if yes:
        remove(where, old)
    click.echo(f"{len(old)} runs {'removed' if yes else 'would be removed: repeat with --yes'}")
