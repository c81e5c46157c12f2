"""Beyond-accuracy metrics against plain loops over lists."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.errors import ClickLogError
from recsys_gru.evaluation import Lists, list_metrics, recommendation_lists
from recsys_gru.evaluation.lists import gini
from recsys_gru.ranking import ItemFilter
from recsys_gru.sessions import Sessions
from tests.ranking.scorers import TableScorer, events_of, random_table, vocabulary_of

LOG = [[0, 1, 2], [3, 4], [5, 1, 0, 2]]


def lists_of(rows: list[list[int]], sessions: list[int], size: int = 8) -> Lists:
    items = np.array(rows, dtype=np.int32)
    scores = -np.arange(items.size, dtype=np.float32).reshape(items.shape)
    return Lists(items, scores, np.arange(len(rows)), np.array(sessions), vocabulary_of(size))


def slow_metrics(lists: Lists) -> dict[str, float]:
    rows = [[item for item in row if item >= 0] for row in lists.items.tolist()]
    shown = [item for row in rows for item in row]
    support = lists.vocabulary.support.tolist()
    size = len(support)
    exposure = [shown.count(item) for item in range(size)]
    fresh = [
        sum(item not in before for item in after) / max(len(after), 1)
        for before, after, s, t in zip(rows, rows[1:], lists.sessions, lists.sessions[1:], strict=False)
        if s == t
    ]
    return {
        "coverage": len(set(shown)) / size,
        "gini": sum(abs(a - b) for a in exposure for b in exposure) / (2 * size * sum(exposure)),
        "average_popularity": sum(support[item] for item in shown) / len(shown),
        "novelty": sum(-math.log2(support[item] / sum(support)) for item in shown) / len(shown),
        "intra_session_diversity": sum(fresh) / len(fresh) if fresh else math.nan,
    }


@st.composite
def some_lists(draw: st.DrawFn) -> Lists:
    rows = draw(st.integers(1, 6))
    k = draw(st.integers(1, 5))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    items = np.stack([generator.permutation(8)[:k] for _ in range(rows)])
    short = generator.integers(0, k, rows) if draw(st.booleans()) else np.full(rows, k)
    items[np.arange(k) >= np.maximum(short, 1)[:, None]] = -1
    return lists_of(items.tolist(), np.sort(generator.integers(0, 3, rows)).tolist())


@settings(deadline=None)
@given(lists=some_lists())
def test_list_metrics_equal_plain_loops(lists: Lists) -> None:
    found = list_metrics(lists)
    for name, value in slow_metrics(lists).items():
        assert found[name] == pytest.approx(value, nan_ok=True), name


def test_the_same_list_for_everybody_covers_little_and_never_changes() -> None:
    metrics = list_metrics(lists_of([[0, 1]] * 4, [0, 0, 1, 1]))
    assert metrics["coverage"] == 0.25
    assert metrics["intra_session_diversity"] == 0.0
    assert metrics["gini"] == pytest.approx(0.75)


def test_new_items_are_counted_where_they_are_given() -> None:
    lists = lists_of([[0, 1], [2, 7]], [0, 1])
    assert list_metrics(lists, new_items=[7, 0, 555])["share_of_new_items"] == 0.5
    assert "share_of_new_items" not in list_metrics(lists)


def test_gini_of_even_exposure_is_zero_and_of_one_item_is_one_less_its_share() -> None:
    assert gini(np.full(10, 3)) == 0.0
    assert gini(np.array([0] * 9 + [100])) == pytest.approx(0.9)


def test_lists_come_at_every_click_or_at_the_end_of_each_session_in_replay_order() -> None:
    model = TableScorer(vocabulary_of(8), random_table(8, 1))
    every = recommendation_lists(model, events_of(LOG), k=3, rows=2)
    assert every.rows.tolist() == [0, 1, 3, 5, 6, 7]
    assert every.sessions.tolist() == [0, 0, 1, 2, 2, 2]
    assert every.items[0].tolist() == np.argsort(-model.table[0])[:3].tolist()
    last = recommendation_lists(model, events_of(LOG), k=3, every=False)
    assert last.rows.tolist() == [2, 4, 8]


def test_lists_keep_to_the_filter() -> None:
    model = TableScorer(vocabulary_of(8), random_table(8, 1))
    lists = recommendation_lists(model, events_of(LOG), k=8, items=ItemFilter(deny=[7], exclude_seen=True))
    assert 7 not in lists.items
    assert (lists.items == -1).any()


def test_saturated_scores_are_noticed() -> None:
    model = TableScorer(vocabulary_of(8), random_table(8, 1, levels=1))
    assert list_metrics(recommendation_lists(model, events_of(LOG), k=3))["saturation"] == 1.0
    model = TableScorer(vocabulary_of(8), random_table(8, 1))
    assert list_metrics(recommendation_lists(model, events_of(LOG), k=3))["saturation"] == 0.0


def test_no_known_event_is_an_error() -> None:
    model = TableScorer(vocabulary_of(8), random_table(8, 1))
    empty = Sessions.from_events(events_of([[99, 98]]), model.vocabulary_)
    with pytest.raises(ClickLogError, match="0 known and 2 unknown events"):
        recommendation_lists(model, empty)
