"""Training: the session-parallel order, the update step, epochs and checkpoints.

In it: settings (hyper-parameters, checked), lanes, learner (one update) and its compiled twin, trainer (one
epoch), checkpoint. Used by the recommender. It must never import evaluation, Polars or an item's id.
"""

from recsys_gru.training.checkpoint import Checkpoints, Run
from recsys_gru.training.data import TrainingData
from recsys_gru.training.devices import device_at_hand, resolve_device
from recsys_gru.training.learner import Learner
from recsys_gru.training.settings import GoingOn, Settings
from recsys_gru.training.trainer import PAUSE, EpochReport, Position, end_epoch, train_epoch

__all__ = [
    "PAUSE",
    "Checkpoints",
    "EpochReport",
    "GoingOn",
    "Learner",
    "Position",
    "Run",
    "Settings",
    "TrainingData",
    "device_at_hand",
    "end_epoch",
    "resolve_device",
    "train_epoch",
]
