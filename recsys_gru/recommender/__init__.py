"""GRU4Rec, the recommender this library is about."""

from recsys_gru.recommender.gru4rec import GRU4Rec

__all__ = ["GRU4Rec"]
