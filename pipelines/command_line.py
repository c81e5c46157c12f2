"""``python -m pipelines``: the night, each of its stages, and what an engineer needs around them."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from . import backfill, nightly, rollback, status
from .plumbing.errors import DONE, FAILED, PipelineError
from .plumbing.lock import locked
from .plumbing.settings import DEFAULT, Settings, read_settings
from .stages import STAGES

CODES = "exit codes: 0 done, 1 gate refused, 2 bad input or settings, 3 failed, 75 another run is at work"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    for name, value in (
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("MLFLOW_LOGGING_LEVEL", "WARNING"),
        ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
    ):
        os.environ.setdefault(name, value)
    given = parser().parse_args(arguments)
    try:
        settings = read_settings(given.settings)
        if getattr(given, "dry_run", False):
            settings = replace(settings, dry_run=True)
        code: int = given.run(given, settings)
    except PipelineError as error:
        sys.stderr.write(f"pipelines: {error}\n")
        return error.exit_code
    except Exception as error:  # a code and a reason, whatever it was
        sys.stderr.write(f"pipelines: {type(error).__name__}: {error}\n")
        return FAILED
    return code


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    root = argparse.ArgumentParser("python -m pipelines", description=__doc__, epilog=CODES)
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    for name in ("nightly", *STAGES):
        about = "the whole night" if name == "nightly" else STAGES[name].about
        command = _command(commands, name, about, _night if name == "nightly" else _stage)
        command.set_defaults(stage=name)
        command.add_argument("--day", type=date.fromisoformat, default=yesterday, help="default: yesterday")
        command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    span = _command(commands, "backfill", "run the missed days of a span", _backfill)
    span.add_argument("--first", type=date.fromisoformat, required=True)
    span.add_argument("--last", type=date.fromisoformat, default=yesterday, help="default: yesterday")
    span.add_argument("--dry-run", action="store_true", help="only list them")
    back = _command(commands, "rollback", "put the champion before back into use", _rollback)
    back.add_argument("--to", type=int, help="a version, in place of the one that the champion replaced")
    told = _command(commands, "status", "what ran, what failed, what to do, which model serves", _status)
    told.add_argument("--json", action="store_true", help="for programs")
    trial = _command(commands, "advise", "recall against the length of the training window", _advise)
    trial.add_argument("--day", type=date.fromisoformat, default=yesterday, help="default: yesterday")
    pages = _command(commands, "schedule", "run every night, with pages on this machine (Dagster)", _schedule)
    pages.add_argument("--port", type=int, default=3000, help="of the pages; default: 3000")
    return root


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    told: str,
    run: Callable[[argparse.Namespace, Settings], int],
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=told, description=told, epilog=CODES)
    command.add_argument("--settings", type=Path, default=DEFAULT, help="a TOML file")
    command.set_defaults(run=run)
    return command


def _night(given: argparse.Namespace, settings: Settings) -> int:
    code = nightly.run_night(given.day, settings)
    page = _decision_page(given.day, settings)
    if page is not None and code <= 1:
        sys.stdout.write(page.read_text(encoding="utf-8"))
    return code


def _stage(given: argparse.Namespace, settings: Settings) -> int:
    stage = STAGES[given.stage]
    return nightly.guarded(given.day, settings, given.stage, lambda: stage(given.day, settings))


def _backfill(given: argparse.Namespace, settings: Settings) -> int:
    days = backfill.missed(given.first, given.last, settings)
    sys.stdout.write(f"missed: {', '.join(map(str, days)) or 'none'}\n")
    if settings.dry_run:
        return DONE
    codes = backfill.backfill(given.first, given.last, settings)
    sys.stdout.write("".join(f"{day} exit {code}\n" for day, code in codes.items()))
    return backfill.worst(codes)


def _rollback(given: argparse.Namespace, settings: Settings) -> int:
    with locked(settings.work.folder, "rollback"):
        before, now = rollback.rollback(settings, given.to)
    sys.stdout.write(f"version {now} serves in place of version {before}\n")
    return DONE


def _status(given: argparse.Namespace, settings: Settings) -> int:
    told = status.status(settings)
    sys.stdout.write((json.dumps(told, indent=1, default=str) if given.json else status.page(told)) + "\n")
    return DONE


def _advise(given: argparse.Namespace, settings: Settings) -> int:
    from .advise import advise, draw

    table = advise(given.day, settings)
    folder = settings.work.folder / "advice"
    folder.mkdir(parents=True, exist_ok=True)
    table.write_parquet(folder / f"{given.day}.parquet")
    picture = folder / f"{given.day}.png"
    tried = f"recall@{settings.gate.k} on {settings.advise.days} days up to {given.day}"
    draw(table, picture, tried)
    sys.stdout.write(f"{tried}\n{table}\npicture: {picture}\n")
    return DONE


def _schedule(given: argparse.Namespace, settings: Settings) -> int:
    from .schedule import start

    start(settings, given.port)


def _decision_page(day: date, settings: Settings) -> Path | None:
    """The page of the day's newest decision."""
    places = (settings.work.folder / "days" / day.isoformat()).glob("promote-*/decision.md")
    return max(places, key=lambda path: path.stat().st_mtime, default=None)
