"""Runs that nobody closes any more: their process was killed, or the machine went down."""

import platform
from typing import TYPE_CHECKING

from recsys_gru.tracking.finding import anything_odd
from recsys_gru.tracking.process import dead

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROCESS = "recsys_gru.process"
"""The tag, on a run and on a trial, of the process that works on it."""
GONE = "the process was killed or crashed; noticed when the next one began"


def end_abandoned(client: "MlflowClient", experiment: str) -> int:
    """Mark as killed the running runs of this machine whose process is gone; returns how many."""
    from mlflow.entities import RunStatus

    running = RunStatus.to_string(RunStatus.RUNNING)
    theirs = f"attributes.status = '{running}' and tags.`{PROCESS}` like '{anything_odd(platform.node())}/%'"
    ended = 0
    for run in client.search_runs([experiment], theirs, max_results=1000):
        key = run.info.run_id
        # asked again once the process is known to be gone: it may have closed the run since the search
        if dead(run.data.tags[PROCESS]) and client.get_run(key).info.status == running:
            client.set_tag(key, "error", GONE)
            client.set_terminated(key, "KILLED")
            ended += 1
    return ended
