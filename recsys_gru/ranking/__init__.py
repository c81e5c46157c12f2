"""Exact ranks and top k from scores in tiles, and which items may be shown.

In it: scorer (what ranking asks of a model), count (ranks), topk, rough (a short list first), filters.
Used by evaluation, the contract and every model. It must never import torch, or know what made a score.
"""

from recsys_gru.ranking.count import rank_counts
from recsys_gru.ranking.filters import BoundFilter, Candidates, ItemFilter
from recsys_gru.ranking.scorer import PREFIXES, Block, MatrixBlock, Scorer
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
]
