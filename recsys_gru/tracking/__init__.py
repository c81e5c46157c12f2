"""MLflow, and nothing else that knows it: runs, the model registry, tuning, the dashboard's commands."""

from recsys_gru.tracking.run import Run, Tracker, run
from recsys_gru.tracking.store import Store, store_at

__all__ = ["Run", "Store", "Tracker", "run", "store_at"]
