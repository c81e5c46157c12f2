"""What every model promises: fit, recommend, save and load, and the folder a saved model is."""

from recsys_gru.contract.answers import popularity
from recsys_gru.contract.bundle import Bundle, read_bundle, read_manifest, write_bundle
from recsys_gru.contract.loading import load, new_recommender, recommender_class
from recsys_gru.contract.manifest import Manifest
from recsys_gru.contract.parameters import SearchSpace, check_choice, check_number
from recsys_gru.contract.prefixes import prefix_ends
from recsys_gru.contract.recommender import Recommender
from recsys_gru.contract.trainable import trainable

__all__ = [
    "Bundle",
    "Manifest",
    "Recommender",
    "SearchSpace",
    "check_choice",
    "check_number",
    "load",
    "new_recommender",
    "popularity",
    "prefix_ends",
    "read_bundle",
    "read_manifest",
    "recommender_class",
    "trainable",
    "write_bundle",
]
