"""The live service: one model in memory answers over HTTP, and is exchanged while it serves.

In it: settings, refusal (what is answered in place of an answer), wire (the JSON of requests and answers),
described (OpenAPI), measures (Prometheus), served (a model ready to answer), batcher (many requests, one
pass), sources, items (a file of facts beside a model) and exchange (a new model takes over), recent (what is
popular now), sessions (their clicks, in memory or in Redis), segments and clicks (the log on disk), service
(what is done), requests, app and protocol (HTTP), server. Used by the command line. It knows models by their
contract, items files through facts and the registry through tracking; it must never import training, a
model's own room or Polars.
"""

from recsys_gru.serving.settings import Settings

__all__ = ["Settings"]
