"""The items file of a night: facts that a model is fitted with, and later ones that it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BadInputError
from .events import say
from .settings import Settings

if TYPE_CHECKING:
    from recsys_gru import CheckedItems


def items_of(day: date, settings: Settings) -> "CheckedItems | None":
    """The facts in the day's items file, checked; None where the settings name none.

    Raises:
        BadInputError: if they cannot be used.
    """
    from recsys_gru import check_items

    file = file_of(day, settings)
    if file is None:
        return None
    with usable_items(day, settings):
        found = check_items(file, kinds=settings.items.kinds, name=settings.items.name)
    say("items read", file=file, name=found.name, **found.counts)
    return found


def file_of(day: date, settings: Settings) -> Path | None:
    """The day's items file; None where the settings name none.

    Raises:
        BadInputError: if it is not there.
    """
    file = settings.items.file(day)
    if file is not None and not file.is_file():
        raise BadInputError(f"expected the facts about items in {file}, there is no such file")
    return file


@contextmanager
def usable_items(day: date, settings: Settings) -> Iterator[None]:
    """What is wrong with the items is said of their file.

    Raises:
        BadInputError: if they cannot be used.
    """
    from recsys_gru import errors

    try:
        yield
    except errors.ClickLogError:  # of the clicks, or a file that tells of nothing
        raise
    except errors.InputError as error:
        raise BadInputError(f"the items in {settings.items.file(day)} cannot be used: {error}") from error
