"""The search for nearest sessions against its formulas, and what its index may and may not change."""

import numpy as np
import polars as pl
import pytest

from recsys_gru.baselines import SKNN, VSKNN
from recsys_gru.baselines.session_knn import Plan, SessionNeighbors
from recsys_gru.contract.toy import clicks_of
from recsys_gru.kernels.neighbors import DECAYS, weight_at
from recsys_gru.sessions import Sessions
from tests.baselines.oracles import DECAY, votes, walks
from tests.contract.suite import log

pytestmark = pytest.mark.kernels

PLANS = {
    "all as one": Plan(1000, 1000),
    "few candidates": Plan(7, 1000),
    "few neighbours": Plan(1000, 5, cosine=True),
    "few of few": Plan(9, 4, decay="linear", match="tenths"),
    "reciprocal": Plan(1000, 1000, decay="reciprocal", match="quadratic"),
    "far items do not count": Plan(1000, 1000, decay="tenths", match="tenths"),
    "time": Plan(1000, 6, decay="exponential", decay_scale=0.7, recency=1.5, cosine=True),
    "place": Plan(1000, 1000, nearness=1.3, match="exponential", match_scale=2.0),
    "idf": Plan(20, 10, idf_weight=2.5),
    "only idf": Plan(20, 10, idf_base=0.0, idf_weight=1.0),
}


def planned(plan: Plan) -> SessionNeighbors:
    """The common scheme under any plan."""

    class Planned(SessionNeighbors):
        def _plan(self) -> Plan:
            return plan

    return Planned()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_scores_are_those_of_the_formulas(plan: Plan) -> None:
    train = Sessions.from_events(log(40, seed=11))
    model = planned(plan).fit(train)
    asked = Sessions.from_events(log(12, seed=12), model.vocabulary_)
    ends = train.times[train.offsets[1:] - 1]
    by_time = np.argsort(ends, kind="stable")
    known = [walks(train)[number] for number in by_time]
    ages = ((ends.max() - ends[by_time]) / 86_400e6).tolist()
    for block in model.blocks(asked, every=True, rows=5):
        for row, scores in zip(block.rows, block.tile(0, 12), strict=True):
            first = asked.offsets[np.searchsorted(asked.offsets, row, side="right") - 1]
            expected = votes(known, ages, asked.items[first : row + 1].tolist(), plan)
            np.testing.assert_allclose(scores, [expected.get(item, 0) for item in range(12)], rtol=1e-5)


@pytest.mark.parametrize("kind", DECAYS)
def test_decays_are_those_of_the_docs(kind: str) -> None:
    for distance in range(12):
        assert weight_at(DECAYS.index(kind), distance, 12, 3.0) == pytest.approx(
            DECAY[kind](distance, 12, 3.0)
        )


def test_cutting_the_posting_lists_changes_nothing() -> None:
    model = VSKNN(neighbors=5, sample_size=8).fit(log(60))
    whole = VSKNN(neighbors=5, sample_size=60).fit(log(60))
    model_index, whole_index = model.index_, whole.index_
    assert len(model_index.postings) < len(whole_index.postings)
    before = model.recommend(log(20, seed=8))
    model.index_ = model_index._replace(
        postings=whole_index.postings, posting_offsets=whole_index.posting_offsets
    )
    assert model.recommend(log(20, seed=8)).equals(before)


def test_clicks_too_far_back_find_no_neighbours() -> None:
    model = VSKNN(decay="tenths").fit(clicks_of("ax", "by"))
    ranked = model.recommend_one(["a", *"bbbbbbbbb"])
    assert dict(zip(ranked["item_id"], ranked["score"] > 0, strict=True)) == {"y": True, "x": False}


def test_the_more_recent_of_equal_sessions_votes() -> None:
    model = SKNN(neighbors=1).fit(clicks_of("ax", "ay", "az"))
    assert model.recommend_one(["a"], k=1)["item_id"].to_list() == ["z"]


def test_recency_is_that_of_the_last_event_not_the_first() -> None:
    next_year = pl.when(item_id="x").then(pl.col("time").dt.offset_by("1y")).otherwise("time")
    late = clicks_of("ax", "ay").with_columns(time=next_year)
    assert SKNN(neighbors=1).fit(late).recommend_one(["a"], k=1)["item_id"].to_list() == ["x"]


def test_a_long_session_and_a_wide_neighbourhood_fit_into_the_rows() -> None:
    rng = np.random.default_rng(1)
    letters = [chr(0x4E00 + number) for number in range(1500)]
    train = clicks_of(*("".join(rng.choice(letters, 900, replace=False)) for _ in range(4)))
    model = SKNN().fit(train)
    asked = ["".join(rng.choice(letters, 30)) for _ in range(3)]
    together = model.recommend(clicks_of(*asked), k=1500)
    for number, walk in enumerate(asked):
        one = model.recommend_one(list(walk), k=1500)
        assert one.equals(together.filter(session_id=number).drop("session_id"))


def test_items_that_no_training_session_holds_score_zero() -> None:
    wide = Sessions.from_events(clicks_of("abc")).vocabulary
    train = Sessions.from_events(clicks_of("ab", "ab"), wide)
    ranked = VSKNN().fit(train).recommend_one(["c"])
    assert ranked["score"].to_list() == [0.0, 0.0]
