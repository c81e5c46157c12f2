"""Runs that nobody closes any more: their process was killed, or the machine went down."""

import platform

from recsys_gru.tracking.delivery.desk import Desk
from recsys_gru.tracking.delivery.finding import anything_odd
from recsys_gru.tracking.delivery.process import PROCESS, dead

GONE = "the process was killed or crashed; noticed when the next one began"


def end_abandoned(desk: Desk) -> None:
    """Mark as killed the experiment's running runs of this machine whose process is gone."""
    from mlflow.entities import RunStatus

    running = RunStatus.to_string(RunStatus.RUNNING)
    theirs = f"attributes.status = '{running}' and tags.`{PROCESS}` like '{anything_odd(platform.node())}/%'"
    for run in desk.client.search_runs([desk.experiment], theirs, max_results=1000):
        key = run.info.run_id
        # asked again once the process is known to be gone: it may have closed the run since the search
        if dead(run.data.tags[PROCESS]) and desk.client.get_run(key).info.status == running:
            desk.client.set_tag(key, "error", GONE)
            desk.client.set_terminated(key, "KILLED")
