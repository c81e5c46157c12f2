"""The commands of the nightly job: of ``recsys-gru``, and in a checkout of ``python -m pipelines``."""

import functools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import click

from recsys_gru import errors

from . import backfill, nightly, rollback, status
from .plumbing.bounds import require_programs
from .plumbing.errors import DONE, FAILED, REFUSED, STOPS, BadInputError, PipelineError
from .plumbing.lock import locked
from .plumbing.scratch import own_scratch
from .plumbing.settings import DEFAULT, Settings, read_settings
from .plumbing.workshop import results
from .stages import STAGES
from .stages.promote import PAGE

Function = Callable[..., object]
Option = Callable[[Function], Function]
CODES = "Exit codes: 0 done, 1 gate refused, 2 bad input or settings, 3 failed, 75 another run is at work."
EXAMPLES = {
    "nightly": "nightly --day 2026-01-31 --settings my.toml",
    "fresh": "fresh --settings my.toml",
    "stage": "stage train --day 2026-01-31 --dry-run",
    "status": "status --json --settings my.toml",
    "rollback": "rollback --to 3 --settings my.toml",
    "backfill": "backfill --first 2026-01-01 --last 2026-01-07 --settings my.toml",
    "advise": "advise --day 2026-01-31 --settings my.toml",
    "schedule": "schedule --settings my.toml --port 3000",
    "settings": "settings > my.toml",
}
INTERRUPTED = 130
"""What shells say of Ctrl-C; click's own 1 would be the gate's refusal."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=CODES)
def app() -> None:
    """The nightly job: the night, each of its stages, and what an engineer needs around them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command of a checkout; the word ``stage`` may be left out before a stage."""
    from recsys_gru.cli import quiet_mlflow

    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in STAGES:
        given.insert(0, "stage")
    quiet_mlflow()
    app(given, prog_name=f"python -m {__package__}")


def _epilog(name: str) -> str:
    """Exit codes and an example; click leaves the lines after its mark as they are."""
    return f"{CODES}\n\n\b\nExamples:\n  recsys-gru {EXAMPLES[name]}"


def command(name: str, *options: Option) -> Callable[[Callable[..., int]], object]:
    """Make a command of a function of the settings: its number is the exit code, an error becomes a line."""

    def made(run: Callable[..., int]) -> object:
        @functools.wraps(run)
        def answer(file: Path, *, dry_run: bool = False, **given: object) -> None:
            try:
                settings = read_settings(file)
                require_programs(settings)
                sys.exit(run(replace(settings, dry_run=dry_run), **given))
            except KeyboardInterrupt:
                sys.exit(INTERRUPTED)
            except STOPS:
                raise
            except BaseException as error:  # a code and a reason, whatever it was
                kind = "" if isinstance(error, PipelineError) else f"{type(error).__name__}: "
                said = errors.without_secrets(f"{kind}{error}")
                click.echo(f"{click.get_current_context().find_root().info_name}: {said}", err=True)
                sys.exit(nightly.code_of(error))

        packed: Function = answer
        for option in (*reversed(options), settings_option):
            packed = option(packed)
        return app.command(name, epilog=_epilog(name))(packed)

    return made


settings_option: Option = click.option(
    "--settings", "file", type=click.Path(path_type=Path), default=DEFAULT, help="A TOML file."
)


def _read_day(_context: click.Context, _option: click.Parameter, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write it like 2026-01-31") from error


def _yesterday() -> str:
    return str(datetime.now(UTC).date() - timedelta(days=1))


day_type = functools.partial(click.option, metavar="YYYY-MM-DD", callback=_read_day)
day_option = day_type("--day", default=_yesterday, show_default="yesterday")
dry_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@command(
    "nightly",
    day_option,
    dry_option,
    click.option("--again", is_flag=True, help="Also a day that is decided: learn from late clicks too."),
    click.option("--anew", is_flag=True, help="The registry was lost: begin with nothing."),
)
def _nightly(settings: Settings, day: date, again: bool, anew: bool) -> int:
    """Run the whole night of a day."""
    code = nightly.run_night(day, settings, again=again, anew=anew)
    if code in (DONE, REFUSED):
        for decision in results(settings, day, "promote")[-1:]:
            click.echo((decision.folder / PAGE).read_text(encoding="utf-8"), nl=False)
    return code


def _read_moment(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write it like 2026-01-31T13:05") from error
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


@command(
    "fresh",
    click.option(
        "--at", metavar="MOMENT", callback=_read_moment, help="Periods that ended until then; UTC. Now."
    ),
    click.option("--watch", is_flag=True, help="Stay, keep the model, learn each period as it ends."),
    dry_option,
)
def _fresh(settings: Settings, at: datetime | None, watch: bool) -> int:
    """Have the serving model learn the periods that have ended since it learned last."""
    from .fresh.job import run_fresh
    from .fresh.stream import Memory
    from .fresh.watch import end_on_terminate
    from .fresh.watch import watch as stay

    if not watch:
        return run_fresh(settings, at)
    if at is not None or settings.dry_run:
        raise BadInputError("expected --watch alone, got --at or --dry-run beside it: these are of one run")
    memory = Memory()
    end_on_terminate(memory)
    return stay(settings, memory)


@command("stage", click.argument("name", type=click.Choice(list(STAGES))), day_option, dry_option)
def _stage(settings: Settings, name: str, day: date) -> int:
    """Run one stage of a day."""
    return nightly.guarded(day, settings, name, lambda: STAGES[name](day, settings))


@command(
    "backfill",
    day_type("--first", required=True),
    day_type("--last", default=_yesterday, show_default="yesterday"),
    dry_option,
    click.option("--dismiss", is_flag=True, help="Do not run them, now or ever: they will not be made up."),
)
def _backfill(settings: Settings, first: date, last: date, dismiss: bool) -> int:
    """Run the missed days of a span."""
    days = backfill.missed(first, last, settings)
    click.echo(f"missed: {', '.join(map(str, days)) or 'none'}")
    if dismiss and not settings.dry_run:
        backfill.dismiss(days, settings)
        click.echo("they will not be made up")
    if settings.dry_run or dismiss:
        return DONE
    codes = backfill.backfill(first, last, settings)
    click.echo("".join(f"{day} exit {code}\n" for day, code in codes.items()), nl=False)
    return backfill.worst(codes)


@command(
    "rollback", click.option("--to", type=int, help="A version, in place of the one the champion replaced.")
)
def _rollback(settings: Settings, to: int | None) -> int:
    """Put the champion before back into use."""
    folder = settings.work.folder
    with locked(folder, "rollback"), own_scratch(folder):
        before, now = rollback.rollback(settings, to)
    click.echo(f"version {now} serves in place of {f'version {before}' if before else 'none'}")
    return DONE


@command(
    "status",
    click.option("--json", "machine", is_flag=True, help="For programs."),
    click.option(
        "--check", is_flag=True, help="Exit code 3 where no night was decided of late, or fresh is behind."
    ),
    click.option(
        "--days", type=click.IntRange(1), default=2, show_default=True, help="So many days count as late."
    ),
)
def _status(settings: Settings, machine: bool, check: bool, days: int) -> int:
    """Tell what ran, what failed, what to do, which model serves."""
    told = status.status(settings)
    click.echo(json.dumps(told, indent=1, default=str) if machine else status.page(told))
    late = [status.overdue(told, days), status.fallen_behind(told)] if check else []
    said = [line for line in late if line is not None]
    click.echo("".join(f"{line}\n" for line in said), err=True, nl=False)
    return FAILED if said else DONE


@command("advise", day_option)
def _advise(settings: Settings, day: date) -> int:
    """Compare recall for lengths of the training window."""
    from .advise import advise, draw

    table = advise(day, settings)
    folder = settings.work.folder / "advice"
    folder.mkdir(parents=True, exist_ok=True)
    table.write_parquet(folder / f"{day}.parquet")
    picture = folder / f"{day}.png"
    tried = f"recall@{settings.gate.k} on {settings.advise.days} days up to {day}"
    draw(table, picture, tried)
    click.echo(f"{tried}\n{table}\npicture: {picture}")
    return DONE


@command("schedule", click.option("--port", default=3000, show_default=True, help="Of the pages."))
def _schedule(settings: Settings, port: int) -> int:
    """Run every night, with pages on this machine (Dagster)."""
    if not all(find_spec(name) for name in ("dagster", "dagster_webserver")):
        raise BadInputError("the schedule needs Dagster: pip install 'recsys-gru[pipelines]'")
    from .schedule import start

    start(settings, port)


@app.command("settings", epilog=_epilog("settings"))
def _settings() -> None:
    """Print the default settings, to begin a file of one's own with."""
    click.echo(DEFAULT.read_text(encoding="utf-8"), nl=False)
