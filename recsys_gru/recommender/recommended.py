"""The one recommended setting, chosen on validation parts of the development logs (docs/log.md)."""

from types import MappingProxyType
from typing import Any

from recsys_gru.recommender.gru4rec import GRU4Rec

RECOMMENDED: MappingProxyType[str, Any] = MappingProxyType(
    {"batch_size": 128, "learning_rate": 0.1, "dropout_p_embed": 0.4, "logq": 1.0, "n_epochs": 10}
)
"""GRU4Rec's hyper-parameters that differ from the published defaults; demo, compare, fit, tune and the nights
begin with them."""


def recommended() -> GRU4Rec:
    """An unfitted estimator with the recommended setting.

    >>> recommended().parameters()["batch_size"] == RECOMMENDED["batch_size"]
    True
    """
    return GRU4Rec(**RECOMMENDED)


def starting_point(kind: str) -> dict[str, object]:
    """The hyper-parameters to begin with for a class of this name: its own defaults where none are better."""
    return dict(RECOMMENDED) if kind == GRU4Rec.__name__ else {}
