"""The MLflow pages of a store, on this machine only."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.parse import urlencode

from recsys_gru.errors import TrackingError
from recsys_gru.tracking.delivery import EXPERIMENT, Desk, connect, store_at

HOST = "127.0.0.1"
BEST_BY = "test/mrr_at_20"
COLUMNS = (
    "attributes.`Created`",
    "tags.`data`",
    "metrics.`test/recall_at_20`",
    f"metrics.`{BEST_BY}`",
    "metrics.`test/unknown_share`",
    "metrics.`train/total_seconds`",
    "tags.`test.events`",
)
"""Of the table of runs; whoever looks may choose others."""
VIEW = "mlflow.sharedViewState."
"""MLflow's tag, on an experiment, of a view that an address names: its filter, order and columns."""
LOOKED_AT = 1000


@final
@dataclass(frozen=True)
class Part:
    """What models were tested on: their runs may be held against each other, and no others.

    Attributes:
        key: value of the tag ``test.part``.
        data: name of the click log.
        first: day of the first test event.
        last: day of the last.
        models: runs with figures of it.
    """

    key: str
    data: str
    first: str
    last: str
    models: int

    def __str__(self) -> str:
        """For people."""
        models = "1 model" if self.models == 1 else f"{self.models} models"
        return f"{self.data}, tested on {self.first} to {self.last}: {models}"


def parts_tested(where: str | os.PathLike[str], experiment: str = EXPERIMENT) -> list[Part]:
    """The test parts of a store, the one of the newest run first."""
    desk = Desk(store_at(where), experiment)
    newest = ["attributes.start_time DESC"]
    runs = desk.client.search_runs(
        [desk.experiment], "tags.`test.part` != ''", order_by=newest, max_results=LOOKED_AT
    )
    found: dict[str, list[Mapping[str, str]]] = {}
    for run in runs:
        found.setdefault(run.data.tags["test.part"], []).append(run.data.tags)
    return [_part(key, tags) for key, tags in found.items()]


def _part(key: str, runs: Sequence[Mapping[str, str]]) -> Part:
    data, first, last = (runs[0].get(name, "?") for name in ("data", "test.first", "test.last"))
    return Part(key, data, first[:10], last[:10], sum(tags.get("role") != "parent" for tags in runs))


def runs_url(
    where: str | os.PathLike[str], port: int, part: Part | None = None, experiment: str = EXPERIMENT
) -> str:
    """The page of the runs of one test part, best MRR@20 first, with columns of figures; without one of all.

    The view is kept in the store, where MLflow looks for it. Sorted by a metric, MLflow shows the runs below
    a parent without a click on it.
    """
    desk = Desk(store_at(where), experiment)
    order = {"orderByKey": f"metrics.`{BEST_BY}`", "orderByAsc": False}
    chosen = {} if part is None else {"searchFilter": f"tags.`test.part` = '{part.key}'"}
    name = "recsys-gru" if part is None else f"recsys-gru-{part.key}"
    view = {**order, **chosen, "selectedColumns": list(COLUMNS)}
    desk.client.set_experiment_tag(desk.experiment, VIEW + name, json.dumps(view))
    query = urlencode({"workflowType": "machine_learning", "viewStateShareKey": name})
    return f"http://{HOST}:{port}/#/experiments/{desk.experiment}/runs?{query}"


def experiment_shown(where: str | os.PathLike[str], wanted: str | None = None) -> str:
    """The name of the experiment to open: the wanted one, else the usual one, or that of the newest run where
    the usual one has no runs, as in the store of a nightly job.

    Raises:
        TrackingError: if there is none of that name.
    """
    client = connect(store_at(where))
    names = {found.experiment_id: found.name for found in client.search_experiments()}
    if wanted is not None:
        if wanted not in names.values():
            known = ", ".join(sorted(names.values()))
            raise TrackingError(
                f"expected the name of an experiment in {where}, got {wanted!r}; it has {known}"
            )
        return wanted
    usual = [number for number, name in names.items() if name == EXPERIMENT]
    if usual and client.search_runs(usual, max_results=1):
        return EXPERIMENT
    newest = client.search_runs(list(names), order_by=["attributes.start_time DESC"], max_results=1)
    return names[newest[0].info.experiment_id] if newest else EXPERIMENT


def server_command(where: str | os.PathLike[str], port: int) -> tuple[list[str], dict[str, str]]:
    """The server's command line and environment, with absolute places whatever the working folder is.

    Raises:
        TrackingError: if the store is a server itself, or cannot be written.
    """
    store = store_at(where)
    if store.remote:
        raise TrackingError(
            f"{store.shown} is a server already: open it in a browser, or give a folder or database"
        )
    connect(store)
    # who looks at the list of processes sees their arguments, not their environment
    open_uri = [] if store.uri != store.shown else ["--backend-store-uri", store.uri]
    uris = [*open_uri, "--artifacts-destination", store.artifacts.as_uri()]
    place = ["--host", HOST, "--port", str(port), "--workers", "1"]
    bin_folder = str(Path(sys.executable).parent)
    surroundings = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes that nothing here needs
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": os.pathsep.join([bin_folder, os.environ.get("PATH", "")]),
    }
    return [sys.executable, "-m", "mlflow", "server", *uris, *place], surroundings
