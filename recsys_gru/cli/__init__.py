"""The command line; every command imports what it needs when it runs, so that help comes at once."""

from recsys_gru.cli.app import main, quiet_mlflow

__all__ = ["main", "quiet_mlflow"]
