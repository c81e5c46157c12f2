"""Blocks whose fits and evaluations are kept: as MLflow runs, or in a notebook for a run told later."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_gru.observers import listening
from recsys_gru.tracking.delivery import EXPERIMENT, Courier, Notebook, Outbox, Target, facts, named, store_at
from recsys_gru.tracking.tracker import NOTE, Tracker


@contextmanager
def run(
    where: str | os.PathLike[str] = "mlruns",
    *,
    name: str,
    experiment: str = EXPERIMENT,
    data: str = "clicks",
    description: str = "",
    ticket: str | None = None,
) -> Iterator[Tracker]:
    """Keep every fit and evaluation inside the block as MLflow runs: one child each, below a parent.

    Nothing in the block waits for MLflow, and no failure of MLflow stops it: what cannot be sent is kept in
    the store's folder and goes out with the next run.

    Args:
        where: folder of an SQLite store, or a tracking URI.
        name: of the parent run.
        experiment: that the runs belong to.
        data: name of the click log, for people.
        description: text shown on the parent run's page, Markdown.
        ticket: a name of the caller's own, under which later blocks go on with the same parent run.

    Raises:
        TrackingError: if the folder cannot be written.
        ParameterError: if a name is empty.
    """
    named(name=name, experiment=experiment, data=data, ticket=ticket)
    store = store_at(where)
    courier = Courier(store, Outbox.new(store.outbox, Target(store.uri, experiment)), first=True)
    tracker = Tracker(courier, data, ticket)
    note = {NOTE: description} if description else {}
    tracker.parent.open(name, {"role": "parent", "data": data, **note, **facts.surroundings()})
    status = "FAILED"
    try:
        with listening(tracker.hear):
            yield tracker
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        tracker.parent.end(status)
        courier.close()


@contextmanager
def noting(folder: Path, data: str) -> Iterator[None]:
    """Note the fit of the block, with its curves, its page and the fitted model, in a notebook.

    Args:
        folder: of the notebook; must exist.
        data: name of the click log, for people.
    """
    with listening(Tracker(Notebook(folder), data).hear):
        yield
