"""The MLflow pages of a store, on this machine only."""

import os
import sys
from pathlib import Path

from recsys_gru.errors import TrackingError
from recsys_gru.tracking.store import connect, store_at

HOST = "127.0.0.1"


def serve(where: str | os.PathLike[str], port: int = 5000) -> None:
    """Become an MLflow server of a local store; this process is the server until it is stopped.

    Raises:
        TrackingError: if the store is a server itself.
    """
    command, surroundings = server_command(where, port)
    os.execve(command[0], command, surroundings)  # noqa: S606 - so that a signal reaches the server itself


def server_command(where: str | os.PathLike[str], port: int) -> tuple[list[str], dict[str, str]]:
    """The server's command line and environment, with absolute places whatever the working folder is.

    Raises:
        TrackingError: if the store is a server itself, or cannot be written.
    """
    store = store_at(where)
    if store.remote:
        raise TrackingError(
            f"{store.uri} is a server already: open it in a browser, or give a folder or database"
        )
    connect(store)
    uris = ["--backend-store-uri", store.uri, "--artifacts-destination", store.artifacts.as_uri()]
    place = ["--host", HOST, "--port", str(port), "--workers", "1"]
    bin_folder = str(Path(sys.executable).parent)
    surroundings = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": os.pathsep.join([bin_folder, os.environ.get("PATH", "")]),
    }
    return [sys.executable, "-m", "mlflow", "server", *uris, *place], surroundings
