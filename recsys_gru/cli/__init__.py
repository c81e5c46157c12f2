"""The command line: every command imports what it needs when it runs, so that help comes at once.

In it: app (all commands, and the one place where an error becomes a line and an exit code), a file for each
group of commands, options and printing that they share. Used by people. It must never be imported by another
room, and knows MLflow, torch and the pipelines only through their rooms.
"""

from recsys_gru.cli.app import main, quiet_mlflow

__all__ = ["main", "quiet_mlflow"]
