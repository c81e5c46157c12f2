"""The commands, and the one place where an error becomes a line and an exit code."""

import os
import sys

import click

from recsys_gru import __version__
from recsys_gru.cli.comparing import compare, demo
from recsys_gru.cli.doctor import doctor
from recsys_gru.cli.exporting import export
from recsys_gru.cli.fitting import evaluate, fit
from recsys_gru.cli.inspecting import describe, prepare
from recsys_gru.cli.nightly import COMMANDS
from recsys_gru.cli.recommending import recommend
from recsys_gru.cli.serving import serve
from recsys_gru.cli.storing import dashboard, prune, register
from recsys_gru.cli.streaming import prequential
from recsys_gru.cli.tuning import tune
from recsys_gru.cli.usage import examples
from recsys_gru.cli.verifying import verify
from recsys_gru.errors import RecsysError, without_secrets

USAGE_ERROR = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="recsys-gru")
def app() -> None:
    """Session-based recommendations with GRU4Rec: from a click log to ranked next items.

    Every option may also be given in the environment where its help names a variable.
    """


for command in (
    demo,
    describe,
    prepare,
    fit,
    evaluate,
    compare,
    prequential,
    recommend,
    serve,
    export,
    tune,
    verify,
    register,
    prune,
    dashboard,
    doctor,
    *COMMANDS,
):
    if command not in COMMANDS:  # those tell their own
        command.epilog = examples(str(command.name))
    app.add_command(command)


def quiet_mlflow() -> None:
    """MLflow tells nobody about us, warns only, and draws no bars, unless the environment says so."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an expected error is one line on stderr and exit code 2."""
    quiet_mlflow()
    try:
        app(arguments, prog_name="recsys-gru")
    except RecsysError as error:
        _refuse(error)
    except OSError as error:  # a place that cannot be read or written; click sees to broken pipes
        _refuse(error)


def _refuse(error: Exception) -> None:
    said = " ".join(without_secrets(error).split())
    told = f" (help: {error.help})" if isinstance(error, RecsysError) else ""
    click.echo(f"recsys-gru: {said}{told}", err=True)
    sys.exit(USAGE_ERROR)
