"""An items file beside a model: its items are added, told anew and named before the model serves."""

import time
from dataclasses import replace
from pathlib import Path
from typing import final

from recsys_gru.contract import Recommender
from recsys_gru.errors import InputError, RecsysError
from recsys_gru.facts import CheckedItems, check_items
from recsys_gru.serving.served import Served
from recsys_gru.serving.sources import Source

MARK = "+items-"
AGAIN = 300.0
"""Seconds after which a file that could not be used is read again, though it has not changed."""


@final
class WithItems(Source):
    """The models of a source with the items of a file; a file that has changed is another version.

    Where a file cannot be used, what the last one that could has told goes on, also with newer models.

    Args:
        name: the column of what people call the items; None for a usual one.
    """

    def __init__(self, source: Source, file: Path, name: str | None) -> None:
        self._source, self._file, self._name = source, file, name
        self._inner, self._good = "", ""
        self._items: CheckedItems | None = None
        self._bad, self._again = "", 0.0

    def version(self) -> str:
        mark = self._mark()
        if mark == self._good:
            self.trouble = ""
        elif mark == self._bad and time.monotonic() < self._again:
            mark = self._good
        return f"{self._source.version()}{MARK}{mark}"

    def load(self, version: str) -> Served:
        inner, _, mark = version.rpartition(MARK)
        served = self._source.load(inner)
        try:
            items = _items_for(served.model, self._file, self._name)
            self.trouble = ""
        except (RecsysError, OSError) as error:
            self.trouble = f"the items in {self._file} cannot be used: {error}"
            self._bad, self._again = self._mark(), time.monotonic() + AGAIN
            if self._items is None or inner == self._inner:
                raise InputError(self.trouble) from error
            items, mark = self._items, self._good
        _take(served.model, items)
        self._inner, self._good, self._items = inner, mark, items
        return replace(served, version=f"{served.version}{MARK}{mark}")

    def _mark(self) -> str:
        try:
            found = self._file.stat()
        except OSError:
            return "none"
        return f"{found.st_mtime_ns:x}-{found.st_ino:x}"


def _items_for(model: Recommender, file: Path, name: str | None) -> CheckedItems:
    """What a file tells that a model can use: facts, if it was fitted with some, and names.

    Raises:
        RecsysError, OSError: if that is nothing.
    """
    encoding = getattr(model, "encoding_", None)
    if encoding is not None:
        checked: CheckedItems = encoding.check(file, model.vocabulary_)
        return checked if name is None else checked.called(name)
    checked = check_items(file, name=name, ids_like=model.vocabulary_)
    if checked.name is None:
        raise InputError(
            f"{type(model).__name__} was fitted without facts, so that only names are of use to it, and no "
            "column is called name, title or so: say which with --name"
        )
    return checked


def _take(model: Recommender, items: CheckedItems) -> None:
    if getattr(model, "encoding_", None) is not None:
        model.add_items(items)  # type: ignore[attr-defined] # what has learned facts has it
    model.vocabulary_ = items.naming(model.vocabulary_)
