"""A run that is found again by its ticket: for jobs that may be killed and started anew."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

from recsys_gru.errors import TrackingError
from recsys_gru.tracking import facts
from recsys_gru.tracking.abandoned import end_abandoned
from recsys_gru.tracking.records import Desk, Ended, Filed, Logged, Opened, Record
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
    ) -> None:
        """Log any number of values; a parameter keeps its first value, all else may be logged again."""
        now = _now()
        points = [(key, float(value), now, 0) for key, value in (metrics or {}).items()]
        self.send(Logged(self.ticket, points, _text(params), _text(tags)))

    def file(self, path: Path, place: str = "") -> None:
        """Keep a copy of a file or folder."""
        self.send(Filed(self.ticket, str(path.absolute()), place))

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
    """
    store = store_at(where)
    client = connect(store)
    number = experiment_id(client, store, experiment)
    end_abandoned(client, number)
    run = LastingRun(Desk(client, number, store.folder, store.lock), ticket)
    run.send(Opened(ticket, name, _now(), {**(tags or {}), **facts.surroundings()}))
    try:
        yield run
    except BaseException:
        run.fail()
        raise
    finally:
        run.send(Ended(ticket, run.outcome, _now()))


def _text(values: Mapping[str, object] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (values or {}).items()}


def _now() -> int:
    return int(time.time() * 1000)
