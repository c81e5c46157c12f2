"""Recommenders by name, new or saved."""

from pathlib import Path
from typing import TYPE_CHECKING

import recsys_gru
from recsys_gru.cli.doors import require_model
from recsys_gru.cli.options import MODELS
from recsys_gru.errors import BundleError, ParameterError

if TYPE_CHECKING:
    from recsys_gru.contract import Recommender


def new_model(kind: str, parameters: dict[str, object]) -> "Recommender":
    """An unfitted recommender.

    Raises:
        ParameterError: if it has no such parameter.
    """
    try:
        model: Recommender = getattr(recsys_gru, kind)(**parameters)
    except TypeError as error:
        raise ParameterError(
            f"{kind} cannot be made: {error}; see its documentation for its parameters"
        ) from error
    return model


def load_model(folder: Path) -> "Recommender":
    """A saved recommender of whatever class the folder says.

    Raises:
        BundleError: if the folder is not there, damaged or of an unknown class.
    """
    from recsys_gru.contract import read_manifest

    require_model(folder)
    kind = read_manifest(folder).model
    if kind not in MODELS:
        raise BundleError(
            f"{folder} holds a {kind}, expected one of {', '.join(MODELS)}: load it from Python"
        )
    model: Recommender = getattr(recsys_gru, kind).load(folder)
    return model
