"""What has been clicked of late: the answer for those of whom nothing is known."""

import heapq
import math
from collections.abc import Sequence
from typing import final

import numpy as np

from recsys_gru.contract import Question, Ranking
from recsys_gru.serving.served import Served
from recsys_gru.serving.states import Numbers

HALF_LIFE = 3600.0
"""Seconds after which a click counts half."""
MOST = 20_000
"""Items that are counted; beyond it the rarer half is forgotten."""
LONGEST = 1000
"""Items of the list."""
FRESH = 1.0
"""Seconds for which a list stays as it is."""


@final
class Recent:
    """Clicks by item, fading.

    >>> recent = Recent()
    >>> for moment, item in enumerate("abb"):
    ...     recent.add(item, moment)
    >>> recent.best(3)[0][0]
    'b'
    """

    def __init__(self) -> None:
        self._weights: dict[int | str, float] = {}
        self._zero = 0.0
        self._list: tuple[float, list[tuple[int | str, float]]] = (-math.inf, [])

    def add(self, item: int | str, now: float) -> None:
        """Count a click. Newer ones count more, in place of fading all others."""
        age = (now - self._zero) / HALF_LIFE
        if age > 60 or not self._weights:  # numbers would grow too large
            fade = 2.0 ** -min(age, 1000.0)
            self._weights = {one: weight * fade for one, weight in self._weights.items()}
            self._zero, age = now, 0.0
        self._weights[item] = self._weights.get(item, 0.0) + 2.0 ** max(age, -60.0)
        if len(self._weights) > MOST:
            self._weights = dict(heapq.nlargest(MOST // 2, self._weights.items(), key=_weight))

    def best(self, now: float) -> list[tuple[int | str, float]]:
        """The items of most clicks and their shares, best first."""
        made, found = self._list
        if not made <= now <= made + FRESH:
            total = sum(self._weights.values())
            best = heapq.nlargest(LONGEST, self._weights.items(), key=_weight)
            found = [(item, weight / total) for item, weight in best]
            self._list = now, found
        return found


def _weight(pair: tuple[int | str, float]) -> float:
    return pair[1]


def recent_first(
    recent: Sequence[tuple[int | str, float]], served: Served, question: Question, popular: Ranking
) -> tuple[Ranking, str]:
    """The items clicked of late and behind them those that were ever popular, or these alone; and which."""
    barred, allowed = set(question.barred.tolist()), question.allowed
    only = None if allowed is None else set(allowed.tolist())
    best: dict[int, float] = {}
    for item, share in recent:
        number = served.number(item)
        if number >= 0 and number not in barred and (only is None or number in only):
            best[number] = share
        if len(best) == question.k:
            break
    if not best:
        return popular, "popularity"
    rest = [number for number in popular.items.tolist() if number not in best][: question.k - len(best)]
    numbers: Numbers = np.array([*best, *rest], dtype=np.int32)
    scores = np.array([*best.values(), *(0.0 for _ in rest)], dtype=np.float32)
    return Ranking(numbers, scores, popular=True), "recent"
