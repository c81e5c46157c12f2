"""The baselines against their formulas, their arguments, and logs whose answer is known."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from recsys_gru.baselines import (
    SKNN,
    STAN,
    VMISKNN,
    VSKNN,
    VSTAN,
    ItemKNN,
    Markov,
    Popularity,
    RecentPopularity,
    Repeats,
    SequentialRules,
    SessionPopularity,
)
from recsys_gru.contract import Recommender
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import ParameterError
from recsys_gru.evaluation import evaluate
from recsys_gru.ranking import ItemFilter
from recsys_gru.sessions import Sessions
from tests.baselines.oracles import followers, similar_items, walks
from tests.contract.suite import FACTORIES, log

PERSONAL = [Markov, SequentialRules, ItemKNN, SKNN, VSKNN, STAN, VSTAN, VMISKNN]


def table(model: Recommender, sessions: Sessions) -> NDArray[np.float32]:
    """Scores (n, N) after each session's last event."""
    return np.concatenate(
        [block.tile(0, block.n_items).copy() for block in model.blocks(sessions, every=False)]
    )


def after_each_item(sessions: Sessions) -> Sessions:
    """One session of one click for every item of the vocabulary."""
    ids = sessions.vocabulary.ids
    clicks = pl.DataFrame({"session_id": np.arange(len(ids)), "item_id": ids, "time": np.arange(len(ids))})
    times = pl.from_epoch("time").dt.replace_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    return Sessions.from_events(clicks.with_columns(times), sessions.vocabulary)


@pytest.mark.parametrize(
    ("model", "reach"), [(Markov(), 1), (SequentialRules(reach=1), 1), (SequentialRules(reach=3), 3)]
)
def test_pairs_are_counted_by_their_distance(model: Recommender, reach: int) -> None:
    sessions = Sessions.from_events(log(25))
    expected = followers(walks(sessions), reach)
    scores = table(model.fit(sessions), after_each_item(sessions))
    for item, row in enumerate(scores):
        np.testing.assert_allclose(row, [expected[item][other] for other in range(len(row))], rtol=1e-6)


def test_pairs_never_reach_into_the_next_session() -> None:
    model = SequentialRules(reach=30).fit(clicks_of("ab", "cd"))
    assert model.recommend_one(["b"])["score"].to_list() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("damping", "balance", "neighbors"), [(0.0, 0.5, 100), (20.0, 0.5, 4), (1.0, 0.2, 100)]
)
def test_item_similarity_is_the_damped_cosine(damping: float, balance: float, neighbors: int) -> None:
    sessions = Sessions.from_events(log(25))
    model = ItemKNN(neighbors=neighbors, damping=damping, balance=balance).fit(sessions)
    for item, row in enumerate(table(model, after_each_item(sessions))):
        expected = similar_items(walks(sessions), item, damping, balance, neighbors)
        np.testing.assert_allclose(row, [expected.get(other, 0) for other in range(len(row))], rtol=1e-5)


def test_popularity_is_the_share_of_events() -> None:
    model = Popularity().fit(clicks_of("aab", "ac"))
    assert model.recommend_one(["b"], exclude_seen=False)["score"].to_list() == pytest.approx([0.6, 0.2, 0.2])


def test_an_event_counts_half_after_each_half_life() -> None:
    days = RecentPopularity(half_life=1.0).fit(clicks_of("a", "b", "b", "c"))  # 3, 2, 1 and 0 days old
    ranked = days.recommend_one(["c"], exclude_seen=False)
    assert dict(zip(ranked["item_id"], ranked["score"], strict=True)) == {"c": 1.0, "b": 0.75, "a": 0.125}


def test_items_of_the_session_come_first_then_popular_ones() -> None:
    model = SessionPopularity().fit(clicks_of("aaab", "bcd", "ce"))
    ranked = model.recommend_one(["e", "d", "e"], exclude_seen=False)
    assert ranked["item_id"].to_list() == ["e", "d", "a", "b", "c"]
    assert ranked["score"].to_list() == pytest.approx([2 + 1 / 9, 1 + 1 / 9, 3 / 9, 2 / 9, 2 / 9])


def test_session_popularity_counts_only_the_prefix() -> None:
    model = SessionPopularity().fit(clicks_of("ab", "ba"))
    sessions = Sessions.from_events(clicks_of("abb"), model.vocabulary_)
    (block,) = model.blocks(sessions, every=True)
    np.testing.assert_allclose(block.tile(0, 2), [[1.5, 0.5], [1.5, 1.5]])


@pytest.mark.parametrize("model", PERSONAL, ids=lambda kind: kind.__name__)
def test_a_planted_ring_is_learned_and_noise_is_not(model: type[Recommender]) -> None:
    rng = np.random.default_rng(5)
    noise = log(400).with_columns(item_id=pl.Series(100 + rng.integers(12, size=log(400).height)))
    test = log(100, seed=17, first=1000)
    unseen = ItemFilter(
        exclude_seen=True
    )  # without it sets of items cannot tell the way back from the way on
    learned = evaluate(model().fit(log(400)), test, cutoffs=(3,), items=unseen).recall[3]
    guessed = evaluate(model().fit(noise), test, cutoffs=(3,), items=unseen).recall[3]
    assert learned > 0.7
    assert guessed < 0.45


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES.keys())
def test_every_corner_of_the_search_space_can_be_fitted(factory: Callable[[], Recommender]) -> None:
    kind = type(factory())
    for name, span in kind.search_space().items():
        for value in span if isinstance(span, list) else span[1:3]:
            assert kind(**{name: value}).fit(log(10)).recommend_one([100], k=1).height == 1


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SequentialRules(reach=0), "reach"),
        (RecentPopularity(half_life=0), "half_life"),
        (ItemKNN(neighbors=0), "neighbors"),
        (ItemKNN(damping=-1), "damping"),
        (ItemKNN(balance=1.5), "balance"),
        (SKNN(neighbors=0), "neighbors"),
        (SKNN(sample_size=0), "sample_size"),
        (VSKNN(decay="steep"), "decay"),
        (VSKNN(match="steep"), "match"),
        (VSKNN(idf_weight=-1), "idf_weight"),
        (STAN(click_decay=0), "click_decay"),
        (STAN(recency=-1), "recency"),
        (STAN(nearness=float("nan")), "nearness"),
        (VSTAN(match_decay=True), "match_decay"),
    ],
    ids=repr,
)
def test_impossible_parameters_are_refused_by_name(model: Recommender, name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        model.fit(log(5))


def test_repeats_are_the_share_that_came_back_from_so_far() -> None:
    model = Repeats(reach=3).fit(clicks_of("aba", "abcb", "cc"))
    # one click before: "cc" of ab, ba, ab, bc, cb, cc; two: a in "aba" and b in "bcb" of a.a, a.c, b.b
    assert model.hits_.tolist() == [1, 2, 0]
    assert model.chances_.tolist() == [6, 3, 1]
    ranked = model.recommend_one(["a", "b"], exclude_seen=False)
    assert dict(zip(ranked["item_id"], ranked["score"], strict=True)) == pytest.approx(
        {"a": 2 / 3, "b": 1 / 6, "c": 0}
    )
