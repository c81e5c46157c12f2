"""Work beyond one machine, on an engine that exists: Ray.

In it: engine (tasks and models moved to the workers of a Ray cluster). Used through the name of an engine,
``engine="ray"``, by whatever takes one; nothing imports it. It must never hold a rule of its own: what it
moves is what one process does.
"""

from recsys_gru.cluster.engine import Ray

__all__ = ["Ray"]
