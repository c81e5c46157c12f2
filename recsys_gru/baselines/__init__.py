"""Baselines worth beating: popularity, transitions, rules, item and session nearest neighbours.

In it: popularity, repeats, item_to_item (Markov, rules), item_knn, sknn (the settings of one scheme,
session_knn), sparse (scores of a few items). Used through the contract, beside every GRU that is judged. It
must never import torch, or the model it is a baseline of.
"""

from recsys_gru.baselines.item_knn import ItemKNN
from recsys_gru.baselines.item_to_item import Markov, SequentialRules
from recsys_gru.baselines.popularity import Popularity, RecentPopularity, SessionPopularity
from recsys_gru.baselines.repeats import Repeats
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
    "Repeats",
    "SequentialRules",
    "SessionPopularity",
]
