"""The store's side of the counter: where a record is handed over, and where runs are looked up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import final

from recsys_gru.errors import TrackingError
from recsys_gru.tracking.delivery.finding import is_value
from recsys_gru.tracking.delivery.store import EXPERIMENT, Store, connect, experiment_id

TICKET = "recsys_gru.ticket"
"""The tag, on a run, of our own name for it."""
LOCK_SECONDS = 60.0


@final
class Desk:
    """A store that answers, one of its experiments, and which run each ticket became.

    Args:
        store: where the runs are.
        experiment: name of theirs; it is made where there is none.
        folder: where files wait; by default the store's.

    Raises:
        TrackingError: if the store cannot be used.
    """

    def __init__(self, store: Store, experiment: str = EXPERIMENT, folder: Path | None = None) -> None:
        self.store, self.folder = store, folder or store.folder
        self.client = connect(store)
        self.experiment = experiment_id(self.client, store, experiment)
        self._ids: dict[str, str] = {}

    def find(self, ticket: str) -> str | None:
        """The id of the ticket's run, if the store has it now."""
        found = self.client.search_runs([self.experiment], is_value(f"tags.`{TICKET}`", ticket))
        return next((run.info.run_id for run in found if run.data.tags.get(TICKET) == ticket), None)

    def run_id(self, ticket: str) -> str:
        """The id of the ticket's run, asked for once.

        Raises:
            TrackingError: if the store has no such run.
        """
        if ticket not in self._ids:
            found = self.find(ticket)
            if found is None:
                raise TrackingError(
                    f"expected a run with the tag {TICKET}={ticket}, the store has none: it was deleted"
                )
            self._ids[ticket] = found
        return self._ids[ticket]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process at this store is in this block; SQLite frees the lock of one that dies."""
        lock = self.store.lock
        lock.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(lock, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
