"""The MLflow pages of a store, on this machine only."""

import os
import sys
from pathlib import Path
from urllib.parse import urlencode

from recsys_gru.errors import TrackingError
from recsys_gru.tracking.delivery import EXPERIMENT, Desk, connect, store_at

HOST = "127.0.0.1"
BEST_BY = "test/mrr_at_20"


def comparison_url(where: str | os.PathLike[str], port: int, experiment: str = EXPERIMENT) -> str:
    """The page that shows the charts of all models side by side, best MRR@20 first.

    Sorted by a metric, MLflow shows the runs below a parent without a click on it.
    """
    desk = Desk(store_at(where), experiment)
    query = urlencode(
        {"workflowType": "machine_learning", "orderByKey": f"metrics.`{BEST_BY}`", "orderByAsc": "false"}
    )
    return f"http://{HOST}:{port}/#/experiments/{desk.experiment}/runs?{query}&compareRunsMode=CHART"


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
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": os.pathsep.join([bin_folder, os.environ.get("PATH", "")]),
    }
    return [sys.executable, "-m", "mlflow", "server", *uris, *place], surroundings
