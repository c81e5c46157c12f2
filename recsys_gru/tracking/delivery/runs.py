"""Runs that are told: in the background, or at once, by jobs that may be killed and started anew."""

import os
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

from recsys_gru.errors import TrackingError, hiding_secrets
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.delivery import facts
from recsys_gru.tracking.delivery.abandoned import end_abandoned
from recsys_gru.tracking.delivery.desk import Desk
from recsys_gru.tracking.delivery.notebook import Notebook
from recsys_gru.tracking.delivery.records import (
    Ended,
    Fed,
    Filed,
    Logged,
    Opened,
    Record,
    Taker,
    as_points,
    as_text,
    named,
    now,
)
from recsys_gru.tracking.delivery.store import EXPERIMENT, store_at


@final
class Run:
    """One MLflow run; what it is told goes out in the background, or into a notebook.

    Args:
        taker: of what it is told: a courier, or a notebook.
        ticket: that an earlier run was opened with, to go on with that one.
    """

    def __init__(self, taker: Taker, ticket: str | None = None) -> None:
        self.ticket = ticket or uuid.uuid4().hex
        self._taker = taker

    def open(self, name: str, tags: Mapping[str, str], parent: "Run | None" = None) -> None:
        """Begin."""
        self._taker.put(Opened(self.ticket, name, now(), dict(tags), parent.ticket if parent else None))

    def log(
        self,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        step: int = 0,
    ) -> None:
        """Log any number of values at once; the step is the epoch."""
        points = as_points(metrics, now(), step)
        self._taker.put(Logged(self.ticket, points, as_text(params), as_text(tags)))

    def feed(self, sessions: Sessions, name: str, context: str) -> None:
        """Note the sessions this run worked on."""
        self._taker.put(Fed(self.ticket, name, sessions.fingerprint(), facts.profile(sessions), context))

    def file(self, name: str, write: Callable[[Path], object], place: str = "") -> None:
        """Keep the file or folder that ``write`` makes at the path it is given."""
        path = self._taker.file(name)
        write(path)
        self._taker.put(Filed(self.ticket, str(path.relative_to(self._taker.folder)), place))

    def end(self, status: str = "FINISHED") -> None:
        """Close."""
        self._taker.put(Ended(self.ticket, status, now()))


@final
class LastingRun:
    """One MLflow run under a ticket of the caller's choice; what it is told is in the store at once.

    Args:
        desk: the store's side.
        ticket: the same one finds the same run.
    """

    def __init__(self, desk: Desk, ticket: str) -> None:
        self.ticket = ticket
        self.outcome = "FINISHED"
        self._desk = desk

    @property
    def run_id(self) -> str:
        """MLflow's own name of the run."""
        return self._desk.run_id(self.ticket)

    def log(
        self,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        time: int | None = None,
    ) -> None:
        """Log any number of values; a parameter keeps its first value, all else may be logged again.

        Args:
            time: of the metrics, in milliseconds since the epoch: one that is logged again with the same time
                and value is the same point of its history. By default now.
        """
        points = as_points(metrics, now() if time is None else time)
        self.send(Logged(self.ticket, points, as_text(params), as_text(tags)))

    def file(self, path: Path, place: str = "") -> None:
        """Keep a copy of a file or folder."""
        self.send(Filed(self.ticket, str(path.absolute()), place))

    def tell(self, notes: Path, without: Collection[str] = ()) -> None:
        """Log what the notebook of a folder holds, files for these places left out; twice is as once."""
        for record in Notebook(notes).read(self.ticket):
            if not (isinstance(record, Filed) and record.place in without):
                self.send(record)

    def fail(self) -> None:
        """Have the run end as failed."""
        self.outcome = "FAILED"

    def send(self, record: Record) -> None:
        """Tell the store.

        Raises:
            TrackingError: if the store does not take it.
        """
        from mlflow.exceptions import MlflowException

        try:
            record.send(self._desk)
        except (MlflowException, OSError) as error:
            raise TrackingError(
                f"the tracking store refused a {type(record).__name__}: {error}"
            ) from hiding_secrets(error)


@contextmanager
def lasting_run(
    where: str | os.PathLike[str] = "mlruns",
    *,
    name: str,
    ticket: str,
    experiment: str = EXPERIMENT,
    tags: Mapping[str, str] | None = None,
) -> Iterator[LastingRun]:
    """Open the run of a ticket, or open it again; there is never a second one.

    At the end of the block it is finished, or failed if the block raised, whatever it was before.

    Args:
        where: folder of an SQLite store, or a tracking URI.
        name: of the run.
        ticket: what identifies it: a fingerprint of all that its result depends on.
        experiment: that the run belongs to.
        tags: of a new run.

    Raises:
        TrackingError: if the store cannot be used.
        ParameterError: if a name is empty.
    """
    named(name=name, ticket=ticket, experiment=experiment)
    desk = Desk(store_at(where), experiment)
    end_abandoned(desk)
    run = LastingRun(desk, ticket)
    run.send(Opened(ticket, name, now(), {**(tags or {}), **facts.surroundings()}))
    try:
        yield run
    except BaseException:
        run.fail()
        raise
    finally:
        run.send(Ended(ticket, run.outcome, now()))
