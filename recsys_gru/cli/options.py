"""Options that several commands share, each group packed into one value."""

import ast
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from recsys_gru.cli.doors import require_log
from recsys_gru.errors import ParameterError

Command = TypeVar("Command", bound=Callable[..., object])
MODELS = (
    "GRU4Rec",
    "Popularity",
    "RecentPopularity",
    "SessionPopularity",
    "Markov",
    "SequentialRules",
    "ItemKNN",
    "SKNN",
    "VSKNN",
    "STAN",
    "VSTAN",
    "VMISKNN",
)


@dataclass(frozen=True)
class Log:
    """Which click log, and how to read it; without a path, where a command allows that, a made-up one."""

    clicks: Path | None
    session: str
    user: str | None
    item: str
    time: str | None
    gap: float
    min_support: int
    min_length: int

    @property
    def name(self) -> str:
        """For people: the file's name."""
        return self.clicks.stem if self.clicks else "generated"


_LOG = (
    click.option("--session", default="session_id", show_default=True, help="Column of the session."),
    click.option("--user", help="Column of the user, for a log without sessions: they are cut at --gap."),
    click.option("--item", default="item_id", show_default=True, help="Column of the item."),
    click.option("--time", help="Column of the time; found by its name where not given."),
    click.option(
        "--gap", default=30.0, show_default=True, help="Minutes of silence that end a user's session."
    ),
    click.option("--min-support", default=5, show_default=True, help="Fewest training events of an item."),
    click.option("--min-length", default=2, show_default=True, help="Fewest training events of a session."),
)

THREADS = "OMP_NUM_THREADS"


def _use_threads(_context: click.Context, _option: click.Parameter, threads: int | None) -> None:
    """Tell torch, which reads it when it is loaded: not before a command runs."""
    if threads is not None:
        os.environ[THREADS] = str(threads)


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    show_default="one for each core",
    envvar=THREADS,
    show_envvar=True,
    expose_value=False,
    callback=_use_threads,
    help="Most threads of the network; it takes fewer while other programs hold cores.",
)
tracking_option = click.option(
    "--tracking-uri",
    "where",
    default="mlruns",
    show_default=True,
    envvar="MLFLOW_TRACKING_URI",
    show_envvar=True,
    help="Folder of the MLflow store, or the URI of a server or database.",
)
test_days_option = click.option(
    "--test-days",
    type=float,
    help="Days at the log's end to test on; else the shortest tail of whole days with 5 % of the sessions.",
)
model_option = click.option(
    "--model",
    "kind",
    type=click.Choice(MODELS),
    default="GRU4Rec",
    show_default=True,
    help="Which recommender.",
)
parameters_option = click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A hyper-parameter, such as layers=(128,) or loss=bpr-max; may be repeated.",
)


def log_options(command: Command) -> Callable[..., object]:
    """Add the options of a click log, which must be there; the command receives them as one ``log``."""

    @functools.wraps(command)
    def with_log(*, log: Log, **given: object) -> object:
        require_log(log.clicks)
        return command(log=log, **given)

    return _log_options(with_log, "CLICKS")


def optional_log_options(command: Command) -> Callable[..., object]:
    """The same for a command that also does without a log."""
    return _log_options(command, "[CLICKS]")


def _log_options(command: Command, shown: str) -> Callable[..., object]:
    @functools.wraps(command)
    def packed(**given: Any) -> object:  # noqa: ANN401 - click's own values
        log = Log(**{field.name: given.pop(field.name) for field in fields(Log)})
        return command(log=log, **given)

    wrapped: Callable[..., object] = packed
    clicks = click.argument("clicks", metavar=shown, type=click.Path(path_type=Path), required=False)
    for option in reversed((clicks, *_LOG)):
        wrapped = option(wrapped)
    return wrapped


def parse_parameters(texts: tuple[str, ...]) -> dict[str, object]:
    """Values of ``name=value``: Python literals where they are such, else text.

    Raises:
        ParameterError: where there is no ``=``.

    >>> parse_parameters(("layers=(128,)", "loss=bpr-max", "logq=1"))
    {'layers': (128,), 'loss': 'bpr-max', 'logq': 1}
    """
    parameters: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(
                f"expected a hyper-parameter as name=value, got {text!r}: write layers=(100,)"
            )
        try:
            parameters[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parameters[name] = value
    return parameters
