"""A thread that carries records from an outbox to the store, so that training never waits for it."""

import logging
import threading
from pathlib import Path
from typing import final

from recsys_gru.errors import TrackingError, without_secrets
from recsys_gru.tracking.delivery.abandoned import end_abandoned
from recsys_gru.tracking.delivery.desk import Desk
from recsys_gru.tracking.delivery.outbox import Outbox
from recsys_gru.tracking.delivery.records import Record
from recsys_gru.tracking.delivery.store import Store, check_reachable

log = logging.getLogger("recsys_gru")
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
CLOSE_SECONDS = 60.0
FOR_GOOD = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "INVALID_STATE")


@final
class Courier:
    """Empties an outbox into the store until ``close``.

    A store that is down or slow costs a warning and a later delivery, never an error in the training.

    Args:
        store: where records go.
        outbox: what is emptied.
        first: whether what dead processes left, records and open runs, is seen to before.
    """

    def __init__(self, store: Store, outbox: Outbox, first: bool = False) -> None:
        self._store, self._outbox, self._untidy = store, outbox, first
        self._news, self._closing = threading.Event(), threading.Event()
        self._desk: Desk | None = None
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="recsys-gru-courier", daemon=True)
        self._thread.start()

    @property
    def folder(self) -> Path:
        """Where the files wait."""
        return self._outbox.folder

    def file(self, name: str) -> Path:
        """A fresh place for a file or folder of this name."""
        return self._outbox.file(name)

    def put(self, record: Record) -> None:
        """Take a record; it is safe on disk when this returns."""
        self._outbox.put(record)
        self._news.set()

    def close(self, seconds: float = CLOSE_SECONDS) -> int:
        """Wait for the rest to be sent, at most so long; returns how many records still wait."""
        self._closing.set()
        self._news.set()
        self._thread.join(seconds)
        waiting = self._outbox.close()
        if waiting:
            log.warning(
                "%d tracking records could not be sent to %s: they wait in %s and go out with the next run",
                waiting, self._store.shown, self._outbox.folder,
            )  # fmt: skip
        return waiting

    def _work(self) -> None:
        while True:
            self._news.wait(self._pause())
            self._news.clear()
            closing = self._closing.is_set()
            self._deliver()
            if closing:
                return

    def _pause(self) -> float | None:
        return RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1] if self._failures else None

    def _deliver(self) -> None:
        """Send what is pending; on failure warn once, and the rest waits."""
        try:
            pending = self._outbox.pending()
            if pending:
                check_reachable(self._store)
                self._tidy()
            for record in pending:
                self._send(record)
                self._outbox.done()
        except Exception as error:  # whatever tracking meets, training goes on
            if self._failures == 0:
                said = without_secrets(error)
                log.warning("tracking is interrupted, records are kept in %s: %s", self._outbox.folder, said)
            self._failures += 1
        else:
            self._failures = 0

    def _tidy(self) -> None:
        """What was left is sent first, so that a run opened again now is not closed by an old record."""
        if self._untidy:
            self._untidy = False
            send_left_over(self._store)
            end_abandoned(self._at_desk())

    def _at_desk(self) -> Desk:
        if self._desk is None:
            self._desk = Desk(self._store, self._outbox.target.experiment, self._outbox.folder)
        return self._desk

    def _send(self, record: Record) -> None:
        from mlflow.exceptions import MlflowException

        desk = self._at_desk()
        try:
            record.send(desk)
        except (MlflowException, TrackingError) as error:
            if getattr(error, "error_code", FOR_GOOD[0]) not in FOR_GOOD:
                raise
            said = without_secrets(error)
            self._outbox.refuse(record, said)
            log.warning("the tracking store refused a record, see %s: %s", self._outbox.folder.parent, said)


def send_left_over(store: Store) -> int:
    """Send what earlier runs could not; returns how many records still wait.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    check_reachable(store)
    return sum(Courier(store, outbox).close() for outbox in Outbox.left_over(store.outbox, store.uri))
