"""What answers where a session holds nothing that the model knows: the share of all training events."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.ranking.filters import BoundFilter, Candidates
from recsys_gru.ranking.scorer import MatrixBlock
from recsys_gru.sessions import Sessions, Vocabulary


def popularity(vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Share (N,) of all training events."""
    return (vocabulary.support / max(int(vocabulary.support.sum()), 1)).astype(np.float32)


def popularity_block(vocabulary: Vocabulary, rows: NDArray[np.int64]) -> MatrixBlock:
    """The same scores for every one of ``rows`` (Q,); no matrix of Q rows is made."""
    return MatrixBlock(rows, np.broadcast_to(popularity(vocabulary), (len(rows), len(vocabulary))))


def candidates_of_nothing(bound: BoundFilter, moments: NDArray[np.int64]) -> Candidates:
    """What may be shown where nothing known was seen, at the moments (Q,) of the last unknown clicks."""
    nothing = np.empty(0, dtype=np.int64)
    moments = moments if bound.at is None else np.full(len(moments), bound.at, dtype=np.int64)
    return Candidates(bound.keep, bound.live, moments, nothing.astype(np.int32), nothing)


def last_unknown(sessions: Sessions, unknown: pl.DataFrame) -> NDArray[np.int64]:
    """Time (n,) in microseconds of each session's last click among ``unknown``, 0 where it has none."""
    last = unknown.group_by("session_id").agg(pl.col("time").max().dt.epoch("us"))
    order = pl.DataFrame({"session_id": sessions.ids}).join(
        last, on="session_id", how="left", maintain_order="left"
    )
    return order["time"].fill_null(0).to_numpy()
