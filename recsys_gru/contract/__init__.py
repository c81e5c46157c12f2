"""What every model promises: fit, recommend, save and load, and the folder a saved model is.

In it: recommender (the promise), estimator and parameters (hyper-parameters), loading (any model by its
name), trainable, incremental (models of counts, which newer clicks are added to), answers (scores to ranked
ids), questions (many sessions at once, by item numbers), going_on (from where a session was left), bundle,
manifest, changes (to an older model), writing and reading (the folder), prefixes.
Used by every model, and by whoever takes any model. It must never import torch, training or a model.
"""

from recsys_gru.contract.bundle import Bundle
from recsys_gru.contract.card import CARD
from recsys_gru.contract.going_on import Begun, GoesOn
from recsys_gru.contract.incremental import Incremental
from recsys_gru.contract.loading import load, new_recommender, recommender_class
from recsys_gru.contract.manifest import Manifest
from recsys_gru.contract.parameters import SearchSpace, check_choice, check_number, plain_value
from recsys_gru.contract.prefixes import prefix_ends
from recsys_gru.contract.questions import Question, Ranking, answer
from recsys_gru.contract.reading import read_bundle, read_manifest
from recsys_gru.contract.recommender import Recommender
from recsys_gru.contract.trainable import NO_PAIR, newer_clicks, trainable
from recsys_gru.contract.writing import write_bundle
from recsys_gru.facts import Context
from recsys_gru.ranking import popularity

__all__ = [
    "CARD",
    "NO_PAIR",
    "Begun",
    "Bundle",
    "Context",
    "GoesOn",
    "Incremental",
    "Manifest",
    "Question",
    "Ranking",
    "Recommender",
    "SearchSpace",
    "answer",
    "check_choice",
    "check_number",
    "load",
    "new_recommender",
    "newer_clicks",
    "plain_value",
    "popularity",
    "prefix_ends",
    "read_bundle",
    "read_manifest",
    "recommender_class",
    "trainable",
    "write_bundle",
]
