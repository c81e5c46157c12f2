"""Beyond accuracy: the lists a model would show, and what they cover, repeat and favour."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.arguments import whole_number
from recsys_gru.errors import ClickLogError
from recsys_gru.evaluation.views import what_is_there
from recsys_gru.forked import need_threads
from recsys_gru.ranking import PREFIXES, ItemFilter, Scorer, context_of, top_k, vocabulary_of
from recsys_gru.sessions import SessionData, Vocabulary, as_sessions


@final
@dataclass(frozen=True, eq=False)
class Lists:
    """The k best items after each of R prefixes of test sessions, in the order of the replay.

    Attributes:
        items: (R, k) item numbers, -1 where a filter leaves fewer.
        scores: (R, k).
        rows: (R,) index into the sessions' items of each prefix's last event.
        sessions: (R,) the number of the session each prefix belongs to.
        vocabulary: what the item numbers mean.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    rows: NDArray[np.int64]
    sessions: NDArray[np.int64]
    vocabulary: Vocabulary


def recommendation_lists(
    model: Scorer,
    test: SessionData,
    k: int = 20,
    *,
    items: ItemFilter | None = None,
    every: bool = True,
    rows: int = PREFIXES,
) -> Lists:
    """The k best items at every event that has a next one (``every``), or at the end of each session.

    Raises:
        ParameterError: if an argument is not one of those above.
        ClickLogError: if there is no such event.
        NonFiniteScoresError: if the model gives NaN or infinite scores.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> recommendation_lists(rg.Markov().fit(train), test, k=5, every=False).items.shape[1]
    5
    """
    k, rows = whole_number("k", k, 1), whole_number("rows", rows, 1)
    need_threads("recommendation_lists")
    sessions = as_sessions(test, vocabulary=vocabulary_of(model), context=context_of(model))
    bound = None if items is None else items.bind(sessions)
    found = []
    for block in model.blocks(sessions, every=every, rows=rows):
        candidates = None if bound is None else bound.candidates(block.rows)
        found.append((block.rows, *top_k(block, k, candidates)))
    if not found:
        raise ClickLogError(
            "expected test sessions with known items to recommend for" + what_is_there(sessions)
        )
    ends, numbers, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(ends)
    owner = np.searchsorted(sessions.offsets, ends[order], side="right") - 1
    return Lists(numbers[order], scores[order], ends[order], owner, model.vocabulary_)


def list_metrics(lists: Lists, new_items: Iterable[int | str] | None = None) -> dict[str, float]:
    """Every metric of the lists by name; ``share_of_new_items`` only where the new items are given.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> lists = recommendation_lists(rg.Popularity().fit(train), test, k=5)
    >>> metrics = list_metrics(lists)
    >>> metrics["coverage"], metrics["intra_session_diversity"]
    (0.1, 0.0)
    """
    shown = lists.items[lists.items >= 0]
    support = lists.vocabulary.support
    metrics = {
        "coverage": coverage(shown, len(support)),
        "gini": gini(np.bincount(shown, minlength=len(support))),
        "average_popularity": average_popularity(shown, support),
        "novelty": novelty(shown, support),
        "intra_session_diversity": intra_session_diversity(lists),
        "saturation": saturation(lists),
    }
    if new_items is not None:
        numbers = np.array([lists.vocabulary.number(item) for item in new_items], dtype=np.int32)
        metrics["share_of_new_items"] = float(np.isin(shown, numbers[numbers >= 0]).mean())
    return metrics


def coverage(shown: NDArray[np.int32], n_items: int) -> float:
    """Share of the catalogue that is shown at all: distinct items shown / N.

    Source: Ge, Delgado-Battenfeld & Jannach, Beyond Accuracy, RecSys 2010.
    """
    return len(np.unique(shown)) / n_items


def gini(exposure: NDArray[np.int64]) -> float:
    """How unevenly exposure (N,) is spread: 0 all items alike, near 1 a few have it all.

    With x in ascending order, sum_i (2i - N - 1) x_i / (N sum x).
    Source: Adomavicius & Kwon, Improving Aggregate Recommendation Diversity, TKDE 2012.

    >>> gini(np.array([5, 5, 5, 5])), gini(np.array([0, 0, 0, 20]))
    (0.0, 0.75)
    """
    n = len(exposure)
    places = 2 * np.arange(1, n + 1) - n - 1
    return float(places @ np.sort(exposure).astype(np.float64) / (n * exposure.sum()))


def average_popularity(shown: NDArray[np.int32], support: NDArray[np.int64]) -> float:
    """Mean training support of the items shown, in clicks.

    Source: Yin et al., Challenging the Long Tail Recommendation, VLDB 2012.
    """
    return float(support[shown].mean())


def novelty(shown: NDArray[np.int32], support: NDArray[np.int64]) -> float:
    """Mean self-information of the items shown, -log2(support / all clicks), in bits: rare items surprise.

    Source: Zhou et al., Solving the apparent diversity-accuracy dilemma, PNAS 2010.
    """
    share = np.maximum(support, 1) / support.sum()  # an item without support counts as seen once
    return float(-np.log2(share[shown]).mean())


def intra_session_diversity(lists: Lists) -> float:
    """Mean share of a list that was not in the list before it in the same session; NaN without such pairs.

    Source: Lathia et al., Temporal Diversity in Recommender Systems, SIGIR 2010.
    """
    same = np.flatnonzero(lists.sessions[1:] == lists.sessions[:-1])
    if not len(same):
        return float("nan")
    size = max(1, 4_000_000 // lists.items.shape[1] ** 2)  # pairs compared at once
    fresh = [
        _fresh(lists.items[part], lists.items[part + 1])
        for part in np.array_split(same, -(-len(same) // size))
    ]
    return float(np.concatenate(fresh).mean())


def _fresh(before: NDArray[np.int32], after: NDArray[np.int32]) -> NDArray[np.float64]:
    old = (after[:, :, None] == before[:, None, :]).any(axis=2)  # (P, k)
    real = after >= 0
    shares: NDArray[np.float64] = (real & ~old).sum(axis=1) / np.maximum(real.sum(axis=1), 1)
    return shares


def saturation(lists: Lists) -> float:
    """Share of lists whose best and worst item score alike, so that their order says nothing."""
    last = np.maximum((lists.items >= 0).sum(axis=1) - 1, 0)
    worst = lists.scores[np.arange(len(last)), last]
    return float(((worst == lists.scores[:, 0]) & (last > 0)).mean())
