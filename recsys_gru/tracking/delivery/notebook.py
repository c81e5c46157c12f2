"""What a fit or an evaluation says, kept in a folder for a run that is opened later by any process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import final

from recsys_gru.tracking.delivery.outbox import Outbox
from recsys_gru.tracking.delivery.records import Ended, Filed, Opened, Record


@final
class Notebook:
    """Takes records as a courier does, and files as an outbox does, under their own names.

    When a run begins and ends is for the one who tells it, so a notebook leaves that out. Each record bears
    the time when it was made: told twice, it is the same.

    Args:
        folder: where it is kept; must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records = Outbox(folder)

    def put(self, record: Record) -> None:
        """Note a record."""
        if not isinstance(record, Opened | Ended):
            self._records.put(record)

    def file(self, name: str) -> Path:
        """The place of a file or folder of this name."""
        return self.folder / name

    def read(self, ticket: str) -> Iterator[Record]:
        """What was noted, in order, as records of the run of a ticket."""
        for record in self._records.pending():
            if isinstance(record, Filed):
                record = replace(record, waiting=str(self.folder.absolute() / record.waiting))
            yield replace(record, ticket=ticket)
