"""What is told to MLflow, as small records that can wait on disk and be told twice without harm.

A run is known by a ticket of our own until the store gives it an id; the ticket stays on the run as a tag,
and by it a record that is sent again finds its run.
"""

import dataclasses
import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, final

from recsys_gru.arguments import name_text
from recsys_gru.errors import TrackingError
from recsys_gru.tracking.finding import is_value

if TYPE_CHECKING:
    from mlflow import MlflowClient

TICKET = "recsys_gru.ticket"
RUN_ID = "{run-id}"
"""Stands in the values of tags for the id of their run, which is not known before the store has it."""
METRICS_A_CALL = 1000
LOCK_SECONDS = 60.0
Point: TypeAlias = tuple[str, float, int, int]
"""Metric name, value, milliseconds since the epoch, step."""


@final
class Desk:
    """The store's side of the counter: a client, the experiment, and which run each ticket became.

    Args:
        folder: where files wait.
        lock: a file; processes that share it open runs one after the other.
    """

    def __init__(self, client: "MlflowClient", experiment: str, folder: Path, lock: Path) -> None:
        self.client, self.experiment, self.folder = client, experiment, folder
        self._lock = lock
        self._ids: dict[str, str] = {}

    def find(self, ticket: str) -> str | None:
        """The id of the ticket's run, if the store has it."""
        if ticket not in self._ids:
            found = self.client.search_runs([self.experiment], is_value(f"tags.`{TICKET}`", ticket))
            mine = [run.info.run_id for run in found if run.data.tags.get(TICKET) == ticket]
            if not mine:
                return None
            self._ids[ticket] = mine[0]
        return self._ids[ticket]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process with the same lock is in this block; SQLite frees the lock of one that dies."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._lock, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield

    def run_id(self, ticket: str) -> str:
        """The id of the ticket's run.

        Raises:
            TrackingError: if the store has no such run.
        """
        found = self.find(ticket)
        if found is None:
            raise TrackingError(
                f"expected a run with the tag {TICKET}={ticket}, the store has none: it was deleted"
            )
        return found


@dataclass(frozen=True)
class Record(ABC):
    """One thing to tell about the run of a ticket."""

    ticket: str

    @abstractmethod
    def send(self, desk: Desk) -> None:
        """Tell the store."""


@final
@dataclass(frozen=True)
class Opened(Record):
    """A run begins, or goes on: there is never a second one of a ticket."""

    name: str
    time: int
    tags: dict[str, str]
    parent: str | None = None

    def send(self, desk: Desk) -> None:
        """Make the run; one that is there already runs again, with the tags of whoever opens it now."""
        with desk.alone():
            found = desk.find(self.ticket)
            if found is None:
                self._create(desk)
                return
        Logged(self.ticket, tags=self.tags).send(desk)
        desk.client.update_run(found, status="RUNNING")

    def _create(self, desk: Desk) -> None:
        tags = {**self.tags, TICKET: self.ticket}
        if self.parent is not None:
            tags["mlflow.parentRunId"] = desk.run_id(self.parent)
        desk.client.create_run(desk.experiment, start_time=self.time, tags=tags, run_name=self.name)


@final
@dataclass(frozen=True)
class Logged(Record):
    """Metrics, parameters and tags, many in one call."""

    metrics: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def send(self, desk: Desk) -> None:
        """Send them in calls of at most a thousand metrics, the server's limit."""
        from mlflow.entities import Metric, Param, RunTag

        run = desk.run_id(self.ticket)
        params = [Param(key, value) for key, value in self.params.items()]
        tags = [RunTag(key, value.replace(RUN_ID, run)) for key, value in self.tags.items()]
        if params or tags:
            desk.client.log_batch(run, params=params, tags=tags)
        for start in range(0, len(self.metrics), METRICS_A_CALL):
            points = self.metrics[start : start + METRICS_A_CALL]
            desk.client.log_batch(run, [Metric(key, value, time, step) for key, value, time, step in points])


@final
@dataclass(frozen=True)
class Fed(Record):
    """The data a run worked on."""

    name: str
    digest: str
    profile: dict[str, int | str]
    context: str

    def send(self, desk: Desk) -> None:
        """Log it as an MLflow dataset."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"fingerprint": self.digest})
        profile = json.dumps(self.profile)
        dataset = Dataset(self.name, self.digest[:36], "local", source, profile=profile)
        tag = InputTag("mlflow.data.context", self.context)
        desk.client.log_inputs(desk.run_id(self.ticket), [DatasetInput(dataset, [tag])])


@final
@dataclass(frozen=True)
class Filed(Record):
    """A file or folder that waits under ``waiting`` and belongs under ``place`` of the run's artifacts."""

    waiting: str
    place: str = ""

    def send(self, desk: Desk) -> None:
        """Copy it to the run's artifacts."""
        path, run = desk.folder / self.waiting, desk.run_id(self.ticket)
        if path.is_dir():
            desk.client.log_artifacts(run, str(path), self.place or None)
        else:
            desk.client.log_artifact(run, str(path), self.place or None)


@final
@dataclass(frozen=True)
class Ended(Record):
    """A run ends."""

    status: str
    time: int

    def send(self, desk: Desk) -> None:
        """Close the run."""
        desk.client.set_terminated(desk.run_id(self.ticket), self.status, self.time)


_KINDS: dict[str, type[Record]] = {kind.__name__: kind for kind in (Opened, Logged, Fed, Filed, Ended)}


def to_line(record: Record) -> str:
    """One line of JSON.

    >>> to_line(Ended("t1", "FINISHED", 5))
    '{"kind": "Ended", "ticket": "t1", "status": "FINISHED", "time": 5}'
    """
    return json.dumps({"kind": type(record).__name__, **dataclasses.asdict(record)})


def from_line(line: str) -> Record:
    """The record of a line.

    >>> from_line('{"kind": "Ended", "ticket": "t1", "status": "FINISHED", "time": 5}')
    Ended(ticket='t1', status='FINISHED', time=5)
    """
    fields = json.loads(line)
    return _KINDS[fields.pop("kind")](**fields)


def named(**names: str | None) -> None:
    """Refuse a name that is empty or no text; None is one that was not given.

    Raises:
        ParameterError: naming it.

    >>> named(ticket="o'neil", data=None)
    """
    for what, name in names.items():
        if name is not None:
            name_text(what, name)


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def as_text(values: Mapping[str, object] | None) -> dict[str, str]:
    """The values as MLflow keeps parameters and tags.

    >>> as_text({"layers": (100,)})
    {'layers': '(100,)'}
    """
    return {key: str(value) for key, value in (values or {}).items()}
