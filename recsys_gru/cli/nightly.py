"""The commands of the nightly job: outside the library, so found by name, when one of them is asked for."""

import importlib
from collections.abc import Mapping

import click

HOME = "recsys_gru.pipelines"
ABSENT = {HOME, "fcntl"}
"""What is missing where the job cannot run: itself, in a checkout not installed; locks, on another system."""


class Commands(click.Group):
    """The library's commands, and after them those of the nightly job."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, as the help shows them."""
        return [*super().list_commands(ctx), *_nightly()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; the nightly job is loaded for none of the library's."""
        return super().get_command(ctx, cmd_name) or _nightly().get(cmd_name)


def _nightly() -> Mapping[str, click.Command]:
    try:
        app: click.Group = importlib.import_module(f"{HOME}.command_line").app
    except ModuleNotFoundError as error:
        if error.name in ABSENT:
            return {}
        raise
    return app.commands
