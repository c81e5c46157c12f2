"""Where a model comes from: a folder, the pointer to a fresh version, or an alias of the registry."""

import json
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, final

from recsys_gru.contract import load
from recsys_gru.errors import BundleError, InputError
from recsys_gru.serving.served import Served

if TYPE_CHECKING:
    from recsys_gru.tracking.registry import Registry

ALIAS = re.compile(r"models:/(?P<name>[^@/]+)@(?P<alias>[^@/]+)")
MANIFEST = "manifest.json"


class Source(ABC):
    """Somewhere a model is, and newer ones will be.

    Attributes:
        trouble: what is wrong with what goes with the model, though the model serves.
    """

    trouble = ""

    @abstractmethod
    def version(self) -> str:
        """The version that is there now, told quickly.

        Raises:
            RecsysError, OSError: if there is none.
        """

    @abstractmethod
    def load(self, version: str) -> Served:
        """That version, read and checked.

        Raises:
            RecsysError, OSError: if it cannot be.
        """


@final
class Folder(Source):
    """A saved model; one saved over it is another version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version(self) -> str:
        found = (self._folder / MANIFEST).stat()
        return f"{self._folder.name}-{found.st_mtime_ns:x}-{found.st_ino:x}"

    def load(self, version: str) -> Served:
        return Served(load(self._folder), version)


@final
class Pointer(Source):
    """The file that names the fresh version, {"version": 12, "path": "versions/000012"}, by its side."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def version(self) -> str:
        return f"fresh-{self._read()[0]}"

    def load(self, version: str) -> Served:
        del version  # there may be a newer one by now: that is taken
        number, folder = self._read()
        return Served(load(folder), f"fresh-{number}")

    def _read(self) -> tuple[int, Path]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            number, path = int(found["version"]), str(found["path"])
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{self._file} names no version and path of a model: {error!r}") from error
        return number, self._file.parent / path / "model"


@final
class Alias(Source):
    """A version of the model registry, by its alias."""

    def __init__(self, name: str, alias: str, tracking_uri: str) -> None:
        self._name, self._alias, self._uri = name, alias, tracking_uri
        self._found: Registry | None = None

    def version(self) -> str:
        number = self._registry.version_of(self._alias)
        if number is None:
            raise InputError(f"no version of {self._name} in {self._uri} has the alias {self._alias}")
        return f"{self._name}-{number}"

    def load(self, version: str) -> Served:
        return Served(self._registry.load(int(version.rpartition("-")[2])), version)

    @property
    def _registry(self) -> "Registry":
        from recsys_gru.tracking.registry import Registry

        if self._found is None:
            self._found = Registry(self._uri, self._name)
        return self._found


def source_of(model: str, tracking_uri: str) -> Source:
    """The source that a text names.

    Raises:
        InputError: if there is nothing of the kind.

    >>> type(source_of("models:/gru4rec@champion", "mlruns")).__name__
    'Alias'
    """
    if found := ALIAS.fullmatch(model):
        return Alias(found["name"], found["alias"], tracking_uri)
    path = Path(model)
    if path.is_dir():
        return Folder(path)
    if path.is_file() and path.suffix == ".json":
        return Pointer(path)
    raise InputError(
        "expected the folder of a saved model, the current.json of fresh versions, or models:/NAME@ALIAS, "
        f"got {model!r}"
    )
