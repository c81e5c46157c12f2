"""Recommenders by the name of their class: new, or out of the folder where one was saved."""

import importlib
import inspect
import os
from collections.abc import Iterator, Mapping
from typing import TypeVar

from recsys_gru.arguments import did_you_mean, known_names
from recsys_gru.contract.bundle import Bundle
from recsys_gru.contract.manifest import Manifest
from recsys_gru.contract.reading import read_bundle, refused_as_bundle
from recsys_gru.contract.recommender import Recommender
from recsys_gru.errors import ParameterError
from recsys_gru.forked import need_threads

Model = TypeVar("Model", bound=Recommender)


def load(folder: str | os.PathLike[str]) -> Recommender:
    """Read whatever recommender lies in the folder, as its own class reads it.

    A recommender of your own is found by the name of its class once its module is imported.

    Raises:
        BundleError: if anything in the folder is missing, damaged, foreign, newer, or of an unknown class.

    >>> import tempfile
    >>> import recsys_gru as rg
    >>> from recsys_gru.contract.toy import clicks_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rg.Markov().fit(clicks_of("ab")).save(f"{folder}/model")
    ...     load(f"{folder}/model")
    Markov()
    """
    need_threads("load")
    with refused_as_bundle(folder, "its class"):
        bundle = read_bundle(
            folder, lambda saved: recommender_class(saved.model).made_of(saved, folder)._layout()
        )
        return recommender_class(bundle.model).of_bundle(bundle, folder)


def new_recommender(kind: type[Model], parameters: Mapping[str, object]) -> Model:
    """An unfitted recommender of these hyper-parameters, checked at once.

    Raises:
        ParameterError: if it has no such hyper-parameter, or a value is impossible.
    """
    known_names(kind.__name__, parameters, inspect.signature(kind).parameters)
    model = kind(**parameters)
    model.check_parameters()
    return model


def recommender_class(name: str) -> type[Recommender]:
    """The class of that name, of this library or any other that is imported.

    Raises:
        ParameterError: if there is none.
    """
    library = importlib.import_module("recsys_gru")
    found = getattr(library, name) if name in library.__all__ else None
    if found is None:
        found = next((kind for kind in _below(Recommender) if kind.__name__ == name), None)
    if not (inspect.isclass(found) and issubclass(found, Recommender) and not inspect.isabstract(found)):
        raise ParameterError(f"there is no recommender {name!r}{did_you_mean(name, library.__all__)}")
    return found


def _class_of(saved: Bundle | Manifest) -> type[Recommender]:
    return recommender_class(saved.model)


def _below(kind: type[object]) -> Iterator[type[object]]:
    """The classes that are derived from one, and from those."""
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
