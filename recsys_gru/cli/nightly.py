"""The commands of the nightly job: outside the library, so found by name, and only when one is called."""

import importlib
from typing import Any, final

import click

HOME = "recsys_gru.pipelines.command_line"


@final
class Nightly(click.Command):
    """Stands in the help for a command of the nightly job, which answers itself."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's own
    ) -> click.Context:
        """Hand the words over.

        Raises:
            UsageError: where the job cannot run: in a checkout not installed, or without locks of files.
        """
        try:
            commands = importlib.import_module(HOME).app.commands
        except ModuleNotFoundError as error:
            raise click.UsageError(f"the nightly job cannot run here: {error}") from error
        context: click.Context = commands[self.name].make_context(info_name, args, parent, **extra)
        return context


COMMANDS = [
    Nightly(name, short_help=told)
    for name, told in {
        "nightly": "Run the whole night of a day.",
        "fresh": "Have the serving model learn the periods that have ended since it learned last.",
        "stage": "Run one stage of a day.",
        "status": "Tell what ran, what failed, what to do, which model serves.",
        "rollback": "Put the champion before back into use.",
        "backfill": "Run the missed days of a span.",
        "advise": "Compare recall for lengths of the training window.",
        "schedule": "Run every night, with pages on this machine (Dagster).",
        "settings": "Print the default settings, to begin a file of one's own with.",
    }.items()
]
