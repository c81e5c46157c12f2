"""Records on disk, in order, until the store has taken them: nothing is lost when the store or we go away."""

import json
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, final

from recsys_gru.errors import TrackingError, without_secrets
from recsys_gru.tracking.delivery.process import alive, this_process
from recsys_gru.tracking.delivery.records import Record, from_line, to_line

RECORDS, SENT, TARGET, REFUSED = "records.jsonl", "sent", "target.json", "refused.jsonl"
WAITING = "waiting"


@final
@dataclass(frozen=True)
class Target:
    """Where records go.

    Attributes:
        uri: of the store; it never holds a password: whoever sends has the whole URI from elsewhere.
    """

    uri: str
    experiment: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "uri", without_secrets(self.uri))


@final
class Outbox:
    """A folder of records for one experiment; its name says which living process fills or empties it.

    Args:
        folder: it; must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    @classmethod
    def new(cls, place: Path, target: Target) -> Self:
        """An empty outbox in a folder of outboxes.

        Raises:
            TrackingError: if the folder cannot be made.
        """
        folder = place / f"{this_process()}-{uuid.uuid4().hex}"
        try:
            (folder / "files").mkdir(parents=True)
        except OSError as error:
            raise TrackingError(
                f"cannot write {place}: {error}; choose a folder that can be written"
            ) from error
        (folder / TARGET).write_text(json.dumps(asdict(target)), encoding="utf-8")
        return cls(folder)

    @classmethod
    def left_over(cls, place: Path, uri: str) -> Iterator[Self]:
        """The store's outboxes that nobody empties; a rename, which one process wins, makes them ours.

        A password in the URI may have changed meanwhile: it is the same store.
        """
        uri = without_secrets(uri)
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            owner, _, name = folder.name.rpartition("-")
            if not folder.is_dir() or alive(owner) or cls(folder).target.uri != uri:
                continue
            mine = place / f"{this_process()}-{name}"
            try:
                folder.rename(mine)
            except OSError:
                continue
            yield cls(mine)

    @property
    def target(self) -> Target:
        """Where these records go."""
        return Target(**json.loads((self.folder / TARGET).read_text(encoding="utf-8")))

    def put(self, record: Record) -> None:
        """Add a record to the end; it is on disk when this returns."""
        with self._lock, (self.folder / RECORDS).open("a", encoding="utf-8") as file:
            file.write(to_line(record) + "\n")

    def file(self, name: str) -> Path:
        """A fresh place for a file or folder of this name, to be filled before its record is put."""
        place = self.folder / "files" / uuid.uuid4().hex
        place.mkdir()
        return place / name

    def pending(self) -> list[Record]:
        """The records not sent yet, oldest first; a line cut short by a crash is not one."""
        path = self.folder / RECORDS
        with self._lock:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = text.splitlines(keepends=True)
        return [from_line(line) for line in lines[self._sent() :] if line.endswith("\n")]

    def done(self, count: int = 1) -> None:
        """The oldest pending records are sent."""
        aside = self.folder / f"{SENT}.new"
        aside.write_text(str(self._sent() + count), encoding="utf-8")
        aside.replace(self.folder / SENT)

    def refuse(self, record: Record, reason: str) -> None:
        """Keep a record that the store will never take, with its reason, where a person finds it."""
        with (self.folder.parent / REFUSED).open("a", encoding="utf-8") as file:
            file.write(f"{to_line(record)}\t{reason.splitlines()[0] if reason else ''}\n")

    def close(self) -> int:
        """Remove the folder if all is sent, else leave it for later; returns how many records wait."""
        waiting = len(self.pending())
        if waiting == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            name = self.folder.name.rpartition("-")[2]
            self.folder = self.folder.rename(self.folder.with_name(f"{WAITING}-{name}"))
        return waiting

    def _sent(self) -> int:
        path = self.folder / SENT
        return int(path.read_text(encoding="utf-8")) if path.exists() else 0
