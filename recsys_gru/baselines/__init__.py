"""Baselines worth beating, from popularity to nearest neighbours; NumPy, SciPy and numba, no torch."""

from recsys_gru.baselines.item_knn import ItemKNN
from recsys_gru.baselines.item_to_item import Markov, SequentialRules
from recsys_gru.baselines.popularity import Popularity, RecentPopularity, SessionPopularity
from recsys_gru.baselines.sknn import SKNN, STAN, VMISKNN, VSKNN, VSTAN

__all__ = [
    "SKNN",
    "STAN",
    "VMISKNN",
    "VSKNN",
    "VSTAN",
    "ItemKNN",
    "Markov",
    "Popularity",
    "RecentPopularity",
    "SequentialRules",
    "SessionPopularity",
]
