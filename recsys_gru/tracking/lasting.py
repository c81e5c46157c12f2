"""A run that is found again by its ticket: for jobs that may be killed and started anew."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

from recsys_gru.errors import TrackingError
from recsys_gru.tracking import facts
from recsys_gru.tracking.abandoned import end_abandoned
from recsys_gru.tracking.notebook import Notebook
from recsys_gru.tracking.records import Desk, Ended, Filed, Logged, Opened, Record, as_text, named, now
from recsys_gru.tracking.store import EXPERIMENT, connect, experiment_id, store_at


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
        moment = now() if time is None else time
        points = [(key, float(value), moment, 0) for key, value in (metrics or {}).items()]
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
            raise TrackingError(f"the tracking store refused a {type(record).__name__}: {error}") from error


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
    store = store_at(where)
    client = connect(store)
    number = experiment_id(client, store, experiment)
    end_abandoned(client, number)
    run = LastingRun(Desk(client, number, store.folder, store.lock), ticket)
    run.send(Opened(ticket, name, now(), {**(tags or {}), **facts.surroundings()}))
    try:
        yield run
    except BaseException:
        run.fail()
        raise
    finally:
        run.send(Ended(ticket, run.outcome, now()))
