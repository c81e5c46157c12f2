"""Recommenders by name, new or saved."""

from pathlib import Path
from typing import TYPE_CHECKING

from recsys_gru.cli.doors import require_model

if TYPE_CHECKING:
    from recsys_gru.contract import Recommender


def class_of(kind: str) -> "type[Recommender]":
    """The class of that name."""
    from recsys_gru.contract import recommender_class

    return recommender_class(kind)


def best_kind(asked: str | None, told: bool) -> str:
    """The class that was asked for, or the recommended one; the network where parameters or facts are told,
    which only it takes."""
    return asked or ("GRU4Rec" if told else "Blend")


def new_model(kind: str, parameters: dict[str, object]) -> "Recommender":
    """An unfitted recommender, with the recommended setting where the parameters say nothing.

    Raises:
        ParameterError: if it has no such parameter, or a value is impossible.
    """
    from recsys_gru.contract import new_recommender
    from recsys_gru.recommender import with_recommended

    return new_recommender(class_of(kind), with_recommended(kind, parameters))


def load_model(folder: Path) -> "Recommender":
    """A saved recommender of whatever class the folder says.

    Raises:
        BundleError: if the folder is not there, damaged or of an unknown class.
    """
    from recsys_gru.contract import load

    require_model(folder)
    return load(folder)
