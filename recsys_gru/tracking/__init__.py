"""MLflow, and nothing else that knows it: runs, the model registry, tuning, retention, the dashboard.

In it: ``run`` and ``tracker``, the fits of a block as runs, each with its ``fit_page``; ``comparison``;
``registry``, ``serving`` and ``seals``, by which a version finds its run; ``tuning``; ``retention``;
``dashboard``; ``names``, the list of all that a run bears. How what a run is told reaches the store is the
business of the room inside, ``delivery``.

Used by the command line, the pipelines and whoever writes ``recsys_gru.tracking.run``; it must never import
the two. The rooms that fit and evaluate do not know it: they announce, and it listens.
"""

from recsys_gru.tracking.delivery import LastingRun, Notebook, Run, Store, lasting_run, store_at
from recsys_gru.tracking.registry import Registry
from recsys_gru.tracking.retention import find_old, remove
from recsys_gru.tracking.run import noting, run
from recsys_gru.tracking.tracker import Tracker, dated, part_of, test_figures
from recsys_gru.tracking.tuning import Search, search

__all__ = [
    "LastingRun",
    "Notebook",
    "Registry",
    "Run",
    "Search",
    "Store",
    "Tracker",
    "dated",
    "find_old",
    "lasting_run",
    "noting",
    "part_of",
    "remove",
    "run",
    "search",
    "store_at",
    "test_figures",
]
