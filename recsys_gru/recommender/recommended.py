"""The one recommended setting, chosen on validation parts of the development logs (docs/log.md)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from recsys_gru.recommender.gru4rec import GRU4Rec

RECOMMENDED: MappingProxyType[str, Any] = MappingProxyType(
    {
        "batch_size": 32,
        "learning_rate": 0.1,
        "dropout_p_embed": 0.3,
        "dropout_p_hidden": 0.2,
        "logq": 1.0,
        "steps_per_update": 3,
        "scale": 12.0,
        "look_back": 5,
        "repeats": 5,
        "n_epochs": 6,
        "half_life": 30_000.0,
        "boost_new": 0.0,
    }
)
"""GRU4Rec's hyper-parameters that differ from the published defaults; demo, compare, fit, tune and the nights
begin with them."""


def with_recommended(kind: str, own: Mapping[str, object]) -> dict[str, object]:
    """Hyper-parameters of a class of this name: one's own, and the recommended ones where these say nothing.

    An input without rows of the state's width has none to look back at, a one-hot input none to drop.

    >>> with_recommended("GRU4Rec", {"n_epochs": 3})["n_epochs"], with_recommended("Markov", {})
    (3, {})
    """
    if kind != GRU4Rec.__name__:
        return dict(own)
    usual = dict(RECOMMENDED)
    if not own.get("constrained_embedding", True):
        del usual["look_back"]
        if not own.get("embedding"):
            del usual["dropout_p_embed"]
    return usual | dict(own)
