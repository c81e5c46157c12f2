"""Processes that have imported everything and used nothing: they begin in no time, and can be killed."""

import multiprocessing
from multiprocessing.context import ForkServerContext as ForkServer

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
    """Starts them; all tests of a process have the same one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    return context
