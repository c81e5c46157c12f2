"""MLflow, and nothing else that knows it: runs, the model registry, tuning, retention, the dashboard."""

from recsys_gru.tracking.delivery.lasting import LastingRun, lasting_run
from recsys_gru.tracking.delivery.notebook import Notebook, noting
from recsys_gru.tracking.delivery.store import Store, store_at
from recsys_gru.tracking.registry import Registry
from recsys_gru.tracking.retention import find_old, remove
from recsys_gru.tracking.run import Run, Tracker, run
from recsys_gru.tracking.tuning import Search, search

__all__ = [
    "LastingRun",
    "Notebook",
    "Registry",
    "Run",
    "Search",
    "Store",
    "Tracker",
    "find_old",
    "lasting_run",
    "noting",
    "remove",
    "run",
    "search",
    "store_at",
]
