"""`serve`: a model answers over HTTP."""

import logging
from pathlib import Path

import click

from recsys_gru.cli.options import threads_option, tracking_option
from recsys_gru.errors import InputError, ParameterError

DEMO_FOLDER = Path("demo/model")


@click.command()
@click.argument("model", required=False)
@click.option(
    "--items",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of facts about items, added to the model before it serves, and again when the file changes.",
)
@click.option(
    "--name",
    "items_name",
    metavar="COLUMN",
    help="Column of --items that people are shown in place of ids; else one called name, title or so.",
)
@click.option("--beside", metavar="MODEL", help="A second model, for comparisons on the page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen: this machine alone.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0: any free one."
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name by which it may be asked, as a proxy does.",
)
@click.option(
    "--token", envvar="RECSYS_GRU_TOKEN", show_envvar=True, help="Bearer token that clients must send."
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes, one a core."
)
@click.option(
    "--sessions",
    default="none",
    show_default=True,
    metavar="WHERE",
    help="Keep sessions: none, memory, or redis://HOST:PORT for several processes.",
)
@click.option(
    "--session-minutes",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Forget after.",
)
@click.option(
    "--most-sessions",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="In memory; those longest without a click go first.",
)
@click.option(
    "--states",
    type=click.IntRange(0),
    default=64,
    show_default=True,
    metavar="MB",
    help="Memory for what the model has made of these sessions: a click is then one step of it.",
)
@click.option("--clicks", type=click.Path(path_type=Path, file_okay=False), help="Folder of the click log.")
@click.option(
    "--every", default="1h", show_default=True, help="Periods of the log, as fresh.every: 15min, 1h."
)
@click.option(
    "--batch", type=click.IntRange(1, 1024), default=64, show_default=True, help="Requests of a pass."
)
@click.option(
    "--queue", type=click.IntRange(1), default=1024, show_default=True, help="Requests that may wait."
)
@click.option(
    "--deadline",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    help="Seconds one may wait.",
)
@click.option(
    "--watch",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds between looks for a new model.",
)
@click.option(
    "--drain",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    show_default=True,
    help="Seconds for the last requests at the end.",
)
@threads_option
@tracking_option
def serve(model: str | None, where: str, session_minutes: float, **told: object) -> None:
    """Answer over HTTP: pages at /, the interface at /docs. MODEL is a saved model, the current.json of fresh
    versions, or models:/NAME@ALIAS; the demo's model if not given.
    """
    try:
        from recsys_gru.serving import Settings
        from recsys_gru.serving.server import serve as run
    except ModuleNotFoundError as error:
        if error.name in ("fcntl", "resource"):
            raise ParameterError(
                "serving runs on Linux and macOS, this system has no locks of files"
            ) from error
        raise ParameterError(
            f"serving needs {error.name}, which is not installed: pip install 'recsys-gru[serve]'"
        ) from error
    if model is None and not DEMO_FOLDER.exists():
        raise InputError(f"expected MODEL, or the demo's model in {DEMO_FOLDER}: recsys-gru demo makes it")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = Settings(
        model or str(DEMO_FOLDER),
        tracking_uri=where,
        session_ttl=60 * session_minutes,
        **told,  # type: ignore[arg-type] # click has checked them
    )
    if not settings.is_local and settings.token is None:
        click.echo(f"recsys-gru: {settings.host} is seen by others, and there is no --token", err=True)
    run(settings, lambda address: click.echo(f"serving on {address}  the interface: {address}docs"))
