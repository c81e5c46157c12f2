"""Metrics of ranks: with one target per event, each is a mean over events of a gain that the rank decides."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.float64]
Gain = Callable[[Ranks, int], NDArray[np.float64]]


def recall_gain(ranks: Ranks, k: int) -> NDArray[np.float64]:
    """1 where the target is among the first k, else 0: with one target, recall@k is the hit rate@k.

    Source: Hidasi et al., Session-based Recommendations with Recurrent Neural Networks, ICLR 2016.
    """
    return (ranks <= k).astype(np.float64)


def reciprocal_gain(ranks: Ranks, k: int) -> NDArray[np.float64]:
    """1/rank, 0 beyond k. Its mean is MRR@k, and MAP@k as well where there is one target.

    Source: Voorhees, The TREC-8 Question Answering Track Report, 1999; cut at k as in Hidasi et al. 2016.
    """
    return np.where(ranks <= k, 1.0 / ranks, 0.0)


def ndcg_gain(ranks: Ranks, k: int) -> NDArray[np.float64]:
    """1/log2(1 + rank), 0 beyond k; the ideal gain is 1 with one target.

    Source: Järvelin & Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 2002.
    """
    return np.where(ranks <= k, 1.0 / np.log2(1.0 + ranks), 0.0)


GAINS: dict[str, Gain] = {
    "recall": recall_gain,
    "mrr": reciprocal_gain,
    "ndcg": ndcg_gain,
    "map": reciprocal_gain,
}
"""Metric name -> gain per event. MAP@k is listed under its own name though it equals MRR@k here."""


def mean_gain(name: str, ranks: Ranks, k: int) -> float:
    """The metric ``name`` at cut-off ``k`` over ranks (E,), infinite where the target cannot be given.

    >>> mean_gain("recall", np.array([1.0, 4.0, 30.0, np.inf]), k=20)
    0.5
    """
    return float(GAINS[name](ranks, k).mean())
