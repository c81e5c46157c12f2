"""Exact ranks and top k from scores in tiles, and which items may be shown.

In it: scorer (what ranking asks of a model), count (ranks), topk, rough (a short list first), filters.
Used by evaluation, the contract and every model. It must never import torch, or know what made a score.
"""

from recsys_gru.ranking.count import counts_as_shown, counts_within, rank_counts
from recsys_gru.ranking.fallback import popularity, popularity_block
from recsys_gru.ranking.filters import BoundFilter, Candidates, ItemFilter, seen_pairs
from recsys_gru.ranking.scorer import (
    PREFIXES,
    Base,
    Block,
    Entries,
    MatrixBlock,
    Scorer,
    context_of,
    vocabulary_of,
)
from recsys_gru.ranking.topk import top_k

__all__ = [
    "PREFIXES",
    "Base",
    "Block",
    "BoundFilter",
    "Candidates",
    "Entries",
    "ItemFilter",
    "MatrixBlock",
    "Scorer",
    "context_of",
    "counts_as_shown",
    "counts_within",
    "popularity",
    "popularity_block",
    "rank_counts",
    "seen_pairs",
    "top_k",
    "vocabulary_of",
]
