"""What is told to MLflow, as small records that can wait on disk and be told twice without harm.

A run is known by a ticket of our own until the store gives it an id; the ticket stays on the run as a tag,
and by it a record that is sent again finds its run.
"""

import dataclasses
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, final

from recsys_gru.arguments import name_text
from recsys_gru.tracking.delivery.desk import TICKET, Desk

PARENT = "mlflow.parentRunId"
"""MLflow's tag, on a run, of the run above it."""
RUN_ID = "{run-id}"
"""Stands in the values of tags for the id of their run, which is not known before the store has it."""
METRICS_A_CALL = 1000
Point: TypeAlias = tuple[str, float, int, int]
"""Metric name, value, milliseconds since the epoch, step."""


@dataclass(frozen=True)
class Record(ABC):
    """One thing to tell about the run of a ticket."""

    ticket: str

    @abstractmethod
    def send(self, desk: Desk) -> None:
        """Tell the store."""


class Taker(Protocol):
    """Whom a run tells: takes its records, and has places for the files that they name."""

    @property
    def folder(self) -> Path:
        """From here a record names its file."""
        ...

    def file(self, name: str) -> Path:
        """The place of a file or folder of this name, to be filled before its record is put."""
        ...

    def put(self, record: Record) -> None:
        """Take a record."""
        ...


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
            tags[PARENT] = desk.run_id(self.parent)
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


def as_points(metrics: Mapping[str, float] | None, time: int, step: int = 0) -> list[Point]:
    """The values as points of their metrics' histories.

    >>> as_points({"train/loss": 2}, 7)
    [('train/loss', 2.0, 7, 0)]
    """
    return [(key, float(value), time, step) for key, value in (metrics or {}).items()]


def as_text(values: Mapping[str, object] | None) -> dict[str, str]:
    """The values as MLflow keeps parameters and tags.

    >>> as_text({"layers": (100,)})
    {'layers': '(100,)'}
    """
    return {key: str(value) for key, value in (values or {}).items()}
