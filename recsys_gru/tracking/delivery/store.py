"""Where runs are kept: a folder with an SQLite file, or any tracking URI that MLflow understands."""

import os
import sqlite3
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final
from urllib.parse import quote, unquote

from recsys_gru.arguments import place
from recsys_gru.errors import TrackingError, hiding_secrets, without_secrets

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "recsys-gru"
KIND = "mlflow.experimentKind"
"""Opens the experiment as model training; MLflow's pages would else begin with language models."""
SQLITE = "sqlite:///"
_MEANS_ITSELF = "".join(map(chr, range(32, 127))).translate(dict.fromkeys(map(ord, "%?#")))
"""What a path in a URI may hold as it is."""
HEALTH_SECONDS = 3.0


@final
@dataclass(frozen=True)
class Store:
    """A tracking store, and the local folder where records wait until the store has taken them.

    >>> store_at("mlruns").uri.endswith("/mlruns/mlflow.db")
    True
    >>> store_at("http://localhost:5000").uri
    'http://localhost:5000'
    """

    uri: str
    folder: Path

    def __repr__(self) -> str:
        return f"Store(uri={self.shown!r}, folder={str(self.folder)!r})"

    @property
    def shown(self) -> str:
        """The URI for people: without a password."""
        return without_secrets(self.uri)

    @property
    def artifacts(self) -> Path:
        """Where an MLflow without a server of its own puts files."""
        return self.folder / "artifacts"

    @property
    def outbox(self) -> Path:
        """Where records wait."""
        return self.folder / "outbox"

    @property
    def lock(self) -> Path:
        """Held while a run is opened."""
        return self.folder / "opening.lock"

    @property
    def remote(self) -> bool:
        """Whether a tracking server stands between us and the database."""
        return self.uri.startswith(("http://", "https://"))


def store_at(where: str | os.PathLike[str], folder: str | os.PathLike[str] = "mlruns") -> Store:
    """The store of a folder, or of a tracking URI (anything with ``://``) and a folder for waiting records.

    A folder may have any name: what means something else in a URI is written as ``%25``, ``%3F``, ``%23``.

    Raises:
        TrackingError: for a ``file:`` URI, which MLflow no longer keeps runs in.
        ParameterError: if it is no path at all.
    """
    text = place("where", where)
    if text.startswith("file:"):
        raise TrackingError(
            f"expected a folder or the URI of a server or database, got {text}: give the folder's path"
        )
    if "://" in text:
        return Store(text, Path(folder).absolute())
    path = Path(text).absolute()
    return Store(f"{SQLITE}{quote(str(path / 'mlflow.db'), safe=_MEANS_ITSELF)}", path)


def connect(store: Store) -> "MlflowClient":
    """A client of the store; a new SQLite file is made where there is none.

    Raises:
        TrackingError: if the folder cannot be written or the server does not answer.
    """
    check_reachable(store)
    if store.uri.startswith(SQLITE):
        _write_ahead(Path(unquote(store.uri.removeprefix(SQLITE).partition("?")[0])))
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)


def check_reachable(store: Store) -> None:
    """Notice a dead server in seconds; MLflow's own retries would take minutes.

    Raises:
        TrackingError: if the server does not answer.
    """
    if not store.remote:
        return
    try:
        with urllib.request.urlopen(f"{store.uri.rstrip('/')}/health", timeout=HEALTH_SECONDS):  # noqa: S310 - http(s)
            return
    except OSError as error:
        raise TrackingError(
            f"no MLflow server answers at {store.shown}: {error}; start it or give another"
        ) from hiding_secrets(error)


def experiment_id(client: "MlflowClient", store: Store, name: str = EXPERIMENT) -> str:
    """The experiment of this name; a new one keeps its files beside the store, whoever asks from where."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if store.remote else store.artifacts.as_uri()
        try:
            return client.create_experiment(name, location, {KIND: "custom_model_development"})
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
    if found is None:
        raise TrackingError(
            f"cannot make the experiment {name!r} in {store.shown}: check that the store can be written"
        )
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _write_ahead(database: Path) -> None:
    """Let readers and a writer work at once: SQLite's write-ahead log, which the file remembers."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(database, timeout=20) as connection:
            connection.execute("PRAGMA journal_mode=wal")
        connection.close()
    except (OSError, sqlite3.Error) as error:
        raise TrackingError(
            f"cannot write {database}: {error}; choose a folder that can be written"
        ) from error
