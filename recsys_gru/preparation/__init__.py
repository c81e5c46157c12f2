"""The rules of clicks and sessions over a log of any size: in buckets on disk, or day by day in a store.

In it: prepare (the whole way from a log to packed parts), buckets, finish (rules that need the whole log),
packer (sessions written to their place), store (the clicks of each day). Used by the command line and the
pipelines. It must never import a model, torch, or what looks at logs (exploration).
"""

from recsys_gru.preparation.prepare import Prepared, prepare, read_prepared
from recsys_gru.preparation.store import Added, ClickStore

__all__ = ["Added", "ClickStore", "Prepared", "prepare", "read_prepared"]
