"""One recommender of several: a mixture of their distributions, with weights learned from the newest clicks.

In it: members (who takes part), windows (how much of a session is looked at), shares (the members' scores as
distributions over the catalogue), mixture (of these), gate (the weights, by what is known of the session),
foretold (the clicks that these learn from), blend (the estimator), recommended. Used like any recommender,
and asks its members by the contract alone; of their rooms it knows the recommended settings. It must never
import training or evaluation.
"""

from recsys_gru.blend.blend import Blend
from recsys_gru.blend.recommended import recommended

__all__ = ["Blend", "recommended"]
