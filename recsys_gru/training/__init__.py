"""Training: the session-parallel order, the update step, epochs and checkpoints.

In it: settings (hyper-parameters, checked), lanes, learner (one update), its compiled twin, divided (lanes
among processes) and parted (item tables, too), trainer (one epoch), parallel (ways of processes to train one
model) and exchange (what they tell each other), checkpoint. Used by the recommender and, to join processes,
by the command line. It must never import evaluation, Polars or an item's id.
"""

from recsys_gru.training.checkpoint import Checkpoints, Run
from recsys_gru.training.data import TrainingData
from recsys_gru.training.devices import device_at_hand, resolve_device
from recsys_gru.training.exchange import Exchange, together
from recsys_gru.training.learner import Learner
from recsys_gru.training.parallel import WAYS, Alone, Parallel, share_of, way_of
from recsys_gru.training.settings import GoingOn, Settings
from recsys_gru.training.trainer import PAUSE, EpochReport, Position, end_epoch, train_epoch

__all__ = [
    "PAUSE",
    "WAYS",
    "Alone",
    "Checkpoints",
    "EpochReport",
    "Exchange",
    "GoingOn",
    "Learner",
    "Parallel",
    "Position",
    "Run",
    "Settings",
    "TrainingData",
    "device_at_hand",
    "end_epoch",
    "resolve_device",
    "share_of",
    "together",
    "train_epoch",
    "way_of",
]
