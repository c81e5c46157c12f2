"""Baselines worth beating, from popularity to nearest neighbours; NumPy, SciPy and numba, no torch."""

from recsys_gru.baselines.item_knn import ItemKNN
from recsys_gru.baselines.item_to_item import Markov, SequentialRules
from recsys_gru.baselines.popularity import Popularity, RecentPopularity, SessionPopularity

__all__ = ["ItemKNN", "Markov", "Popularity", "RecentPopularity", "SequentialRules", "SessionPopularity"]
