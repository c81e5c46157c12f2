"""The live service: recommendations over HTTP from one model in memory, which is exchanged while it serves.

In it, in the order in which they may know each other: settings, refusal (what is answered in place of an
answer), wire (the JSON of requests and answers), described (OpenAPI), measures (Prometheus), served (a model
ready to answer), batcher (many requests, one pass), sources and exchange (a new model takes over), recent (what
is popular now), sessions (their clicks, in memory or in Redis), clicks (the log on disk), api, app, server.
Used by the command line. It knows models by their contract and the registry through tracking; it must never
import training, a model's own room or Polars.
"""

from recsys_gru.serving.settings import Settings

__all__ = ["Settings"]
