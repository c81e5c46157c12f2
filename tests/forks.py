"""Processes that have imported everything and used nothing: they begin in no time, and can be killed."""

import multiprocessing
from multiprocessing.context import ForkServerContext as ForkServer
from multiprocessing.forkserver import ensure_running

import pytest

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
MODULES = [
    "recsys_gru.recommender",
    "recsys_gru.baselines",
    "recsys_gru.tracking",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "pipelines.command_line",
    "pandas",
]


def fork_server() -> ForkServer:
    """Starts them; all tests of a process have the same one, with the environment of the first that asks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        ensure_running()
    return context
