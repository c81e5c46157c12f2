"""Options that several commands share, each group packed into one value."""

import ast
import functools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, final

import click

from recsys_gru.arguments import place
from recsys_gru.cli.doors import require_log
from recsys_gru.engines import NAMES as ENGINES
from recsys_gru.errors import ParameterError

Command = TypeVar("Command", bound=Callable[..., object])
MODELS = (
    "GRU4Rec",
    "Popularity",
    "RecentPopularity",
    "SessionPopularity",
    "Repeats",
    "Markov",
    "SequentialRules",
    "ItemKNN",
    "SKNN",
    "VSKNN",
    "STAN",
    "VSTAN",
    "VMISKNN",
    "Blend",
)


@dataclass(frozen=True)
class Log:
    """Which click log, and how to read it; without a path, where a command allows that, a made-up one."""

    clicks: Path | None
    session: str
    user: str | None
    item: str
    time: str | None
    order: str | None
    ids: str | None
    time_zone: str
    time_unit: str | None
    time_format: str | None
    gap: float
    min_support: int
    min_length: int
    verify: bool = False

    @property
    def name(self) -> str:
        """For people: the file's name."""
        return self.clicks.stem if self.clicks else "generated"

    def reading(self) -> dict[str, Any]:
        """How ``read_clicks`` is to read it."""
        own = ("session", "user", "item", "time", "order", "ids", "time_zone", "time_unit", "time_format")
        return {name: getattr(self, name) for name in own}


@final
class Amount(click.FloatRange):
    """A number in a range; no range of click's holds off what is no number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value} is no number.", param, ctx)
        return found


COUNT, LENGTH = click.IntRange(0, 2**31 - 1), click.IntRange(1, 2**31 - 1)
MOST_DAYS = 36_500.0
"""A hundred years."""
_LOG = (
    click.option("--session", default="session_id", show_default=True, help="Column of the session."),
    click.option(
        "--user",
        help="Column of the user, for a log without sessions: they are cut at --gap. Also the session's "
        "column, where its ids begin anew every day.",
    ),
    click.option("--item", default="item_id", show_default=True, help="Column of the item."),
    click.option("--time", help="Column of the time; found by its name where not given."),
    click.option("--order", help="Column that tells the order of clicks of equal time; else the rows do."),
    click.option(
        "--ids",
        type=click.Choice(["text", "whole"]),
        help="What ids are, where a CSV does not say; else whole numbers if all look like some.",
    ),
    click.option("--time-zone", default="UTC", show_default=True, help="Zone of times that name none."),
    click.option(
        "--time-unit",
        type=click.Choice(["s", "ms", "us", "ns"]),
        help="Of times that are numbers since 1970; found by their size where not given.",
    ),
    click.option("--time-format", help="Of times that are text, such as '%d.%m.%Y %H:%M'."),
    click.option(
        "--gap",
        type=Amount(0, MOST_DAYS * 24 * 60, min_open=True),
        default=30.0,
        show_default=True,
        help="Minutes of silence that end a user's session.",
    ),
    click.option(
        "--min-support",
        type=LENGTH,
        default=1,
        show_default=True,
        help="Fewest training events of an item; a click on a rarer one is a miss.",
    ),
    click.option(
        "--min-length", type=COUNT, default=2, show_default=True, help="Fewest training events of a session."
    ),
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


engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="Where the work is done: here, or by a Ray cluster (RAY_ADDRESS; else one begins on this machine).",
)


def _require_store(_context: click.Context, _option: click.Parameter, where: str) -> str:
    """Refuse what can be no store before anything is done of which it is to be told."""
    from recsys_gru.tracking.delivery import store_at

    store_at(place("--tracking-uri", where))
    return where


tracking_option = click.option(
    "--tracking-uri",
    "where",
    default="mlruns",
    show_default=True,
    envvar="MLFLOW_TRACKING_URI",
    show_envvar=True,
    callback=_require_store,
    help="Folder of the MLflow store, or the URI of a server or database.",
)


def last_days_option(told: str) -> Callable[[Command], Command]:
    """``--test-days``, with what it does for a command."""
    return click.option("--test-days", type=Amount(0, MOST_DAYS, min_open=True), help=told)


test_days_option = last_days_option(
    "Days at the log's end to test on; else the shortest tail of whole days with 5 % of the sessions."
)
best_model_option = click.option(
    "--model",
    "kind",
    type=click.Choice(MODELS),
    show_default="the recommended Blend; with --param or facts of items, GRU4Rec",
    help="Which recommender.",
)
parameters_option = click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A hyper-parameter, such as layers=(128,) or loss=bpr-max; may be repeated.",
)


verify_option = click.option(
    "--verify",
    is_flag=True,
    help="Of a folder that prepare wrote: read every file and compare it with its SHA-256 first.",
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
        log = Log(**{field.name: given.pop(field.name) for field in fields(Log) if field.name in given})
        return command(log=log, **given)

    wrapped: Callable[..., object] = packed
    clicks = click.argument("clicks", metavar=shown, type=click.Path(path_type=Path), required=False)
    for option in reversed((clicks, *_LOG)):
        wrapped = option(wrapped)
    return wrapped


def parse_parameters(texts: tuple[str, ...], kind: str = "") -> dict[str, object]:
    """Values of ``name=value``: Python literals where they are such, else text; true, false and none in any
    case. With the class of the model names and values are checked at once, before a log is read.

    Raises:
        ParameterError: where there is no ``=``, a name comes twice, or the model does not take it.

    >>> parse_parameters(("layers=(128,)", "loss=bpr-max", "logq=1", "exclude_hits=false"))
    {'layers': (128,), 'loss': 'bpr-max', 'logq': 1, 'exclude_hits': False}
    """
    parameters: dict[str, object] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise ParameterError(
                f"expected a hyper-parameter as name=value, got {text!r}: write layers=(100,)"
            )
        if name in parameters:
            raise ParameterError(f"expected each hyper-parameter once, got {name} twice: leave one out")
        parameters[name] = _value(value)
    return _checked(kind, parameters, texts) if kind else parameters


def _value(text: str) -> object:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _checked(kind: str, parameters: dict[str, object], texts: tuple[str, ...]) -> dict[str, object]:
    """The parameters, checked; where only a text will do, what looks like a number is the text it was."""
    from recsys_gru.cli.models import class_of
    from recsys_gru.contract import new_recommender
    from recsys_gru.contract.parameters import takes_only_text

    model = class_of(kind)
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if parameters[name] is not None and takes_only_text(model, name):
            parameters[name] = value.strip("'\"")
    new_recommender(model, parameters)
    return parameters


_WORDS: dict[str, object] = {"true": True, "false": False, "none": None, "null": None}
