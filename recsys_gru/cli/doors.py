"""Looked at before anything is read for long or written: is there a log, and may the answer lie there."""

import os
from pathlib import Path

import click

from recsys_gru.errors import BundleError, InputError, ParameterError

MANIFEST = "manifest.json"
GLOB = frozenset("*?[")


def require_log(clicks: Path | None) -> None:
    """There is a click log, and it is not a saved model.

    Raises:
        ParameterError: if none is named.
        InputError: if it is not there, or something else.
    """
    from recsys_gru.files import Url, place_at

    usage = click.get_current_context().get_usage().removeprefix("Usage: ")
    if clicks is None:
        raise ParameterError(
            f"expected a click log, got none: write {usage}. Only demo and compare make one up"
        )
    if isinstance(place_at(clicks), Url):
        return  # reading it will tell
    if (clicks / MANIFEST).is_file():
        raise InputError(f"expected a click log, got the saved model in {clicks}: write {usage}")
    if not clicks.exists() and not GLOB & set(str(clicks)):
        raise InputError(f"expected a click log at {clicks}, there is no such file or folder: check the path")


def require_model(folder: Path) -> None:
    """There is a saved model.

    Raises:
        BundleError: if there is none; a click log in its place is named as what it is.
    """
    usage = click.get_current_context().get_usage().removeprefix("Usage: ")
    if folder.is_file():
        raise BundleError(f"expected the folder of a saved model, got the file {folder}: write {usage}")
    aside = folder.with_name(f".{folder.name}.old") if folder.name else folder
    if not folder.exists() and not aside.exists():
        raise BundleError(
            f"expected a saved model in {folder}, there is no such folder: "
            f"recsys-gru fit CLICKS --out {folder} makes one"
        )


def require_room_for_model(out: Path) -> None:
    """A model may be saved there: nothing is there, or an older one.

    Raises:
        BundleError: if it would be refused after the training.
    """
    require_writable(out)
    if out.is_file():
        raise BundleError(f"{out} is a file: give --out the name of a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise BundleError(f"{out} holds files but no saved model: give --out a new folder or that of a model")


def require_writable(out: Path) -> None:
    """The nearest folder above that exists is a folder, and may be written.

    Raises:
        InputError: if not.
    """
    above = next(place for place in out.absolute().parents if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        what = "may not be written" if above.is_dir() else "is no folder"
        raise InputError(f"cannot write {out}: {above} {what}; give --out another")
