"""The baselines once more, from their formulas alone: lists of lists, dictionaries and loops."""

import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from recsys_gru.baselines.session_knn import Plan
from recsys_gru.sessions import Sessions

Scores = dict[int, float]
Walks = list[list[int]]


def walks(sessions: Sessions) -> Walks:
    """The sessions as lists of item numbers."""
    return [part.tolist() for part in np.split(sessions.items, sessions.offsets[1:-1])]


def followers(train: Walks, reach: int) -> dict[int, Scores]:
    """For each item, what follows within ``reach`` steps, each pair d steps apart worth 1/d."""
    table: dict[int, Scores] = defaultdict(lambda: defaultdict(float))
    for walk in train:
        for here in range(len(walk)):
            for there in range(here + 1, min(len(walk), here + reach + 1)):
                table[walk[here]][walk[there]] += 1 / (there - here)
    return table


def similar_items(train: Walks, item: int, damping: float, balance: float, neighbors: int) -> Scores:
    """The damped cosine of one item with all others, the best ``neighbors`` of them."""
    holders: dict[int, set[int]] = defaultdict(set)
    for number, walk in enumerate(train):
        for held in walk:
            holders[held].add(number)
    own = len(holders[item]) + damping
    scores = {
        other: len(holders[item] & held) / (own**balance * (len(held) + damping) ** (1 - balance))
        for other, held in holders.items()
        if other != item and holders[item] & held
    }
    best = sorted(scores, key=lambda other: (-scores[other], other))[:neighbors]
    return {other: scores[other] for other in best}


DECAY: dict[str, Callable[[int, int, float], float]] = {
    "same": lambda _d, _n, _scale: 1.0,
    "linear": lambda d, n, _scale: 1 - d / n,
    "tenths": lambda d, _n, _scale: max(0.0, 1 - (d + 1) / 10),
    "reciprocal": lambda d, _n, _scale: 1 / (d + 1),
    "quadratic": lambda d, _n, _scale: 1 / (d + 1) ** 2,
    "exponential": lambda d, _n, scale: math.exp(-d / scale),
}


def votes(train: Walks, ages: list[float], prefix: list[int], plan: Plan) -> Scores:
    """Scores of a session nearest-neighbour model; ``train`` is ordered by last event, oldest first."""
    n = len(prefix)
    distance = {item: n - 1 - place for place, item in enumerate(prefix)}  # of the latest click on each
    weight = {item: DECAY[plan.decay](d, n, plan.decay_scale) for item, d in distance.items()}
    holding = [s for s, walk in enumerate(train) if any(weight.get(item, 0) > 0 for item in walk)]
    similarity = {}
    for s in holding[-plan.sample_size :]:
        similarity[s] = sum(
            weight[item] for item in sorted(set(train[s]) & set(prefix), key=distance.__getitem__)
        )
        if plan.cosine:
            similarity[s] /= math.sqrt(n * len(set(train[s])))
        if plan.recency:
            similarity[s] *= math.exp(-ages[s] / plan.recency)
    nearest = sorted(similarity, key=lambda s: (round(similarity[s], 6), s))[-plan.neighbors :]
    scores: Scores = defaultdict(float)
    for s in nearest:
        places = {item: place for place, item in enumerate(train[s])}
        shared = min((item for item in places if weight.get(item, 0) > 0), key=distance.__getitem__)
        vote = similarity[s] * DECAY[plan.match](distance[shared], n, plan.match_scale)
        for item, place in places.items():
            near = math.exp(-abs(place - places[shared]) / plan.nearness) if plan.nearness else 1.0
            holders = sum(item in walk for walk in train)
            gain = plan.idf_base + plan.idf_weight * math.log(len(train) / holders)
            scores[item] += vote * near * gain
    return scores
