"""Every recommender: what recommend and recommend_one answer."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from recsys_gru.contract import Recommender
from recsys_gru.errors import InputError, ParameterError
from recsys_gru.ranking import ItemFilter
from tests.contract.suite import START, log

COLUMNS = ["session_id", "rank", "item_id", "score", "source"]


def test_the_table_has_one_row_per_session_and_rank(model: Recommender, live: pl.DataFrame) -> None:
    table = model.recommend(live, k=4)
    assert table.columns == COLUMNS
    assert table["score"].dtype == pl.Float32
    assert table.select("session_id", "rank").is_unique().all()
    assert table["session_id"].unique(maintain_order=True).to_list() == list(range(500, 520))
    assert table["rank"].to_list() == [1, 2, 3, 4] * 20


def test_scores_are_finite_and_fall_with_the_rank(model: Recommender, live: pl.DataFrame) -> None:
    table = model.recommend(live, k=12, exclude_seen=False)
    assert table["score"].is_finite().all()
    assert table.select((pl.col("score").diff().over("session_id") <= 0).all()).item()


def test_seen_items_are_left_out_unless_wanted(model: Recommender, live: pl.DataFrame) -> None:
    table = model.recommend(live, k=12)
    seen = live.join(table, on=["session_id", "item_id"], how="semi")
    assert seen.is_empty()
    distinct = live["item_id"].n_unique()
    assert model.recommend(live, k=12, exclude_seen=False)["item_id"].n_unique() >= distinct
    assert model.recommend(live, k=12, exclude_seen=False).height == 12 * 20


def test_deny_and_allow_are_obeyed(model: Recommender, live: pl.DataFrame) -> None:
    denied = model.recommend(live, k=12, exclude_seen=False, deny=[103, 104])
    assert set(denied["item_id"]) == {100 + n for n in range(12)} - {103, 104}
    allowed = model.recommend(live, k=12, exclude_seen=False, allow=[103, 104, 999])
    assert set(allowed["item_id"]) == {103, 104}
    assert allowed.height == 40


def test_an_item_filter_does_what_the_lists_do(model: Recommender, live: pl.DataFrame) -> None:
    lists = model.recommend(live, allow=[101, 102, 103], deny=[102])
    one = model.recommend(live, allow=ItemFilter(allow=[101, 102, 103], deny=[102]))
    assert_frame_equal(one, lists)
    bars = model.recommend(live, exclude_seen=False, allow=ItemFilter(exclude_seen=True))
    assert_frame_equal(bars, model.recommend(live))


def test_availability_counts_for_sessions_of_unknown_items_too(model: Recommender) -> None:
    sold = pl.DataFrame(
        {"item_id": [101, 102], "since": [None, START], "until": [START, None]},
        schema_overrides={"since": pl.Datetime("us", "UTC"), "until": pl.Datetime("us", "UTC")},
    )
    live = ItemFilter(availability=sold)
    asked = log(1).with_columns(item_id=pl.lit(-7))
    assert model.recommend(asked, allow=live)["item_id"].to_list() == [102]
    with pytest.raises(ParameterError, match="at=moment"):
        model.recommend_one([105], allow=live)
    early = ItemFilter(availability=sold, at=datetime(2020, 1, 1, tzinfo=UTC))
    assert model.recommend_one([105], allow=early)["item_id"].to_list() == [101]


def test_nothing_left_to_recommend_is_an_error(model: Recommender, live: pl.DataFrame) -> None:
    with pytest.raises(InputError, match="leave none of 12"):
        model.recommend(live, allow=[999])


def test_a_text_is_not_a_list(model: Recommender, live: pl.DataFrame) -> None:
    uses: tuple[Callable[[], object], ...] = (
        lambda: model.recommend_one("100"),
        lambda: model.recommend(live, allow="100"),
        lambda: model.recommend(live, deny="100"),
        lambda: model.recommend(live, allow=ItemFilter(), deny=[100]),
    )
    for use in uses:
        with pytest.raises(ParameterError, match="expected"):
            use()


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(model: Recommender, live: pl.DataFrame, k: int) -> None:
    with pytest.raises(ParameterError, match="at least 1"):
        model.recommend(live, k=k)


def test_a_larger_k_than_the_catalogue_gives_all_of_it(model: Recommender) -> None:
    table = model.recommend_one([100], k=1000, exclude_seen=False)
    assert sorted(table["item_id"]) == [100 + n for n in range(12)]
    assert model.recommend_one([100], k=1000).height == 11


def test_unknown_items_only_are_answered_by_popularity(model: Recommender) -> None:
    asked = pl.concat([log(1, first=900), log(1, first=901).with_columns(item_id=pl.lit(5, pl.Int64))])
    table = model.recommend(asked, k=3)
    assert table["source"].to_list() == ["model"] * 3 + ["popularity"] * 3
    counts = log()["item_id"].value_counts(sort=True)
    popular = table.filter(source="popularity")
    assert popular["item_id"][0] == counts["item_id"][0]
    np.testing.assert_allclose(popular["score"], counts["count"][:3] / log().height, rtol=1e-6)


def test_unknown_items_are_left_out_counted_and_logged(
    model: Recommender, live: pl.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    strange = (
        live.group_by("session_id", maintain_order=True).first().with_columns(item_id=pl.lit(5, pl.Int64))
    )
    asked = pl.concat([live, strange.select(live.columns)])
    with caplog.at_level(logging.INFO, "recsys_gru"):
        assert_frame_equal(model.recommend(asked), model.recommend(live))
    assert f"20 of {live.height + 20} clicks in 20 sessions are on unknown items" in caplog.text
    counts = {"sessions": 20, "known_clicks": live.height, "unknown_clicks": 20, "unknown_sessions": 0}
    assert model.describe(asked) == counts


def test_no_click_at_all_is_answered_by_popularity(model: Recommender) -> None:
    table = model.recommend_one([], k=2)
    assert table["source"].to_list() == ["popularity"] * 2
    assert_frame_equal(table, model.recommend_one([-1, -2], k=2))


def test_no_session_gives_an_empty_table(model: Recommender, live: pl.DataFrame) -> None:
    table = model.recommend(live.clear())
    assert table.is_empty()
    assert table.columns == COLUMNS


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_one_at_a_time_equals_all_at_once(model: Recommender, live: pl.DataFrame, exclude_seen: bool) -> None:
    asked = pl.concat([live, log(1, first=900).with_columns(item_id=pl.lit(5, pl.Int64))])
    table = model.recommend(asked, k=7, exclude_seen=exclude_seen)
    for (session,), clicks in asked.group_by("session_id", maintain_order=True):
        one = model.recommend_one(clicks["item_id"].to_list(), k=7, exclude_seen=exclude_seen)
        every = table.filter(pl.col("session_id") == session).drop("session_id")
        assert_frame_equal(one, every, check_exact=True)
        assert_frame_equal(
            model.recommend(clicks, k=7, exclude_seen=exclude_seen).drop("session_id"),
            every,
            check_exact=True,
        )


def test_ids_of_sessions_keep_their_type(model: Recommender, live: pl.DataFrame) -> None:
    worded = model.recommend(live.with_columns(session_id="visit " + pl.col("session_id").cast(pl.String)))
    assert worded["session_id"].dtype == pl.String
    assert worded["session_id"][0] == "visit 500"
