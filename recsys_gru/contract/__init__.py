"""What every model promises: fit, recommend, save and load, and the folder a saved model is.

In it: recommender (the promise), answers (scores to ranked ids), bundle and manifest (the folder),
parameters, prefixes. Used by every model, and by whoever takes any model. It must never import torch,
training or a model.
"""

from recsys_gru.contract.bundle import Bundle, write_bundle
from recsys_gru.contract.manifest import Manifest
from recsys_gru.contract.parameters import SearchSpace, check_choice, check_number
from recsys_gru.contract.prefixes import prefix_ends
from recsys_gru.contract.reading import read_bundle, read_manifest
from recsys_gru.contract.recommender import Recommender, trainable
from recsys_gru.ranking import popularity

__all__ = [
    "Bundle",
    "Manifest",
    "Recommender",
    "SearchSpace",
    "check_choice",
    "check_number",
    "popularity",
    "prefix_ends",
    "read_bundle",
    "read_manifest",
    "trainable",
    "write_bundle",
]
