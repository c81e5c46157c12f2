"""GRU4Rec, the recommender this library is about: fit, resume, go on learning, score, verify.

In it: gru4rec (the estimator), recommended (its one recommended setting), loop (epochs, validation, early
stop), scoring (blocks of scores), warm_start (rows for new items), verify (recorded trajectories learned
again). Used by the command line, tracking and everyone through `recsys_gru.GRU4Rec`. It must never import
MLflow or a baseline.
"""

from recsys_gru.recommender.gru4rec import GRU4Rec
from recsys_gru.recommender.recommended import RECOMMENDED, with_recommended

__all__ = ["RECOMMENDED", "GRU4Rec", "with_recommended"]
