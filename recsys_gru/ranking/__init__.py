"""Scores in tiles -> ranks and exact top k, and which items may be shown. NumPy and numba, no torch."""

from recsys_gru.ranking.count import rank_counts
from recsys_gru.ranking.filters import BoundFilter, Candidates, ItemFilter
from recsys_gru.ranking.scorer import PREFIXES, Block, MatrixBlock, Scorer, vocabulary_of
from recsys_gru.ranking.topk import top_k

__all__ = [
    "PREFIXES",
    "Block",
    "BoundFilter",
    "Candidates",
    "ItemFilter",
    "MatrixBlock",
    "Scorer",
    "rank_counts",
    "top_k",
    "vocabulary_of",
]
