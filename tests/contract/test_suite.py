"""The behaviours that every recommender must show."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from recsys_gru.clicks import Sessions
from recsys_gru.contract import Recommender
from recsys_gru.errors import ClickLogError, InputError, NotFittedError, ParameterError
from recsys_gru.evaluation import evaluate
from recsys_gru.observers import Event, FitEnded, FitStarted, listening
from recsys_gru.ranking import ItemFilter
from tests.contract.suite import FACTORIES, START, log, named

Factory = Callable[[], Recommender]
COLUMNS = ["session_id", "rank", "item_id", "score", "source"]


@pytest.fixture(params=list(FACTORIES.values()), ids=list(FACTORIES), scope="module")
def factory(request: pytest.FixtureRequest) -> Factory:
    made: Factory = request.param
    return made


@pytest.fixture(scope="module")
def model(factory: Factory) -> Recommender:
    return factory().fit(log())


@pytest.fixture(scope="module")
def live() -> pl.DataFrame:
    return log(20, seed=8, first=500)


def test_fit_returns_the_recommender_itself(factory: Factory) -> None:
    fresh = factory()
    assert fresh.fit(log()) is fresh


def test_unfitted_use_is_refused(factory: Factory, tmp_path: Path) -> None:
    fresh = factory()
    for use in (
        lambda: fresh.recommend(log()),
        lambda: fresh.recommend_one([100]),
        lambda: fresh.save(tmp_path / "model"),
        lambda: evaluate(fresh, log()),
        lambda: fresh.describe(log()),
    ):
        with pytest.raises(NotFittedError, match="call fit or load"):
            use()
    assert not list(tmp_path.iterdir())


def test_no_attribute_is_made_up(model: Recommender) -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = getattr(model, "no_such_thing")  # noqa: B009 - mypy must not know


def test_the_constructor_only_stores_its_parameters(factory: Factory) -> None:
    fresh = factory()
    assert vars(fresh) == fresh.parameters()
    assert repr(type(fresh)(**fresh.parameters())) == repr(fresh)


def test_the_search_space_speaks_of_parameters(factory: Factory) -> None:
    assert set(factory().search_space()) <= set(factory().parameters())


def test_input_frames_are_left_as_they_were(factory: Factory) -> None:
    train, asked = log().sample(fraction=1, shuffle=True, seed=1), log(5, seed=2)
    before, asked_before = train.clone(), asked.clone()
    factory().fit(train).recommend(asked)
    assert_frame_equal(train, before)
    assert_frame_equal(asked, asked_before)


def test_packed_sessions_are_left_as_they_were(factory: Factory) -> None:
    repeated = log().with_columns(
        item_id=pl.col("item_id") // 2
    )  # repeats tempt sparse matrices to merge in place
    sessions, untouched = Sessions.from_events(repeated), Sessions.from_events(repeated)
    factory().fit(sessions).recommend(sessions)
    assert sessions.fingerprint() == untouched.fingerprint()


def test_fitting_twice_equals_the_second_fit(factory: Factory, live: pl.DataFrame) -> None:
    twice = factory().fit(log(30, seed=99)).fit(log())
    assert_frame_equal(twice.recommend(live), factory().fit(log()).recommend(live))


def test_two_fits_agree_to_the_bit(model: Recommender, factory: Factory, live: pl.DataFrame) -> None:
    assert_frame_equal(factory().fit(log()).recommend(live), model.recommend(live), check_exact=True)


def test_the_order_of_rows_does_not_matter(model: Recommender, factory: Factory, live: pl.DataFrame) -> None:
    mixed = factory().fit(log().sample(fraction=1, shuffle=True, seed=5))
    asked = live.sample(fraction=1, shuffle=True, seed=6)
    assert_frame_equal(mixed.recommend(asked), model.recommend(live), check_exact=True)


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


def test_blocks_do_not_depend_on_their_size(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    for every in (True, False):
        tall = list(model.blocks(sessions, every, rows=1000))
        flat = list(model.blocks(sessions, every, rows=3))
        assert all(len(block.rows) <= 3 for block in flat)
        rows = np.concatenate([block.rows for block in flat])
        scores = np.concatenate([block.tile(0, 12).copy() for block in flat])
        whole = np.concatenate([block.tile(0, 12).copy() for block in tall])
        order = np.argsort(np.concatenate([block.rows for block in tall]))
        np.testing.assert_array_equal(scores[np.argsort(rows)], whole[order])


def test_the_own_score_is_a_column_of_the_tile(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    for block in model.blocks(sessions, every=True, rows=16):
        wanted = (np.arange(len(block.rows)) % 12).astype(np.int32)
        own = block.own(wanted).copy()
        np.testing.assert_array_equal(own, block.tile(0, 12)[np.arange(len(wanted)), wanted])
        np.testing.assert_array_equal(block.tile(5, 9).copy(), block.tile(0, 12)[:, 5:9])


def test_every_prefix_that_has_a_next_item_is_scored_once(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    rows = np.concatenate([block.rows for block in model.blocks(sessions, every=True)])
    lasts = sessions.offsets[1:] - 1
    assert sorted(rows) == sorted(set(range(sessions.n_events)) - set(lasts.tolist()))


def test_replay_gives_the_scores_of_the_prefix_alone(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    block = next(iter(model.blocks(sessions, every=True)))
    for q in range(0, len(block.rows), 7):
        row = block.rows[q]
        first = sessions.offsets[np.searchsorted(sessions.offsets, row, side="right") - 1]
        prefix = model.vocabulary_.take(sessions.items[first : row + 1]).to_list()
        one = model.recommend_one(prefix, k=12, exclude_seen=False)
        numbers = model.vocabulary_.numbers(one["item_id"])
        np.testing.assert_allclose(block.tile(0, 12)[q][numbers], one["score"], rtol=2e-5, atol=1e-6)


def test_evaluation_works_and_beats_nothing_by_accident(model: Recommender, live: pl.DataFrame) -> None:
    report = evaluate(model, live, cutoffs=(1, 12))
    assert report.recall[12] == 1.0
    assert 0 <= report.mrr[1] == report.recall[1] <= 1
    assert report.events == live.height - 20


def test_words_and_numbers_get_the_same_ranks(factory: Factory, live: pl.DataFrame) -> None:
    plain = factory().fit(log()).recommend(live)
    worded = factory().fit(log(words=True)).recommend(named(live))
    assert worded["item_id"].dtype == pl.String
    assert "cat 🐈" in worded["item_id"].to_list()
    assert_frame_equal(named(plain), worded, check_exact=True)


def test_ids_of_sessions_keep_their_type(model: Recommender, live: pl.DataFrame) -> None:
    worded = model.recommend(live.with_columns(session_id="visit " + pl.col("session_id").cast(pl.String)))
    assert worded["session_id"].dtype == pl.String
    assert worded["session_id"][0] == "visit 500"


def test_pandas_lazy_frames_paths_and_sessions_are_equal(
    model: Recommender, factory: Factory, live: pl.DataFrame, tmp_path: Path
) -> None:
    train, asked = tmp_path / "train.parquet", tmp_path / "asked.parquet"
    log().write_parquet(train)
    live.write_parquet(asked)
    table = model.recommend(live)
    for learned, wanted in (
        (log().lazy(), live.lazy()),
        (naive(log()).to_pandas(), naive(live).to_pandas()),
        (train, asked),
        (str(train), str(asked)),
        (Sessions.from_events(log()), Sessions.from_events(live)),
    ):
        assert_frame_equal(factory().fit(learned).recommend(wanted), table, check_exact=True)


def test_a_single_session_is_enough_to_fit(factory: Factory) -> None:
    lonely = factory().fit(log(1))
    assert lonely.recommend_one([int(log(1)["item_id"][0])], k=1).height == 1


def test_an_empty_log_and_a_single_item_are_refused(factory: Factory) -> None:
    with pytest.raises(ClickLogError, match="events to learn from"):
        factory().fit(log().clear())
    with pytest.raises(ClickLogError, match="at least two items"):
        factory().fit(log().with_columns(item_id=pl.lit(1)))


def test_a_fit_is_announced_once_it_is_whole(factory: Factory) -> None:
    heard: list[Event] = []
    with listening(heard.append):
        fitted = factory().fit(log(), validation=log(5, seed=4, first=100))
    assert isinstance(heard[0], FitStarted)
    assert heard[-1] == FitEnded(fitted)


def test_validation_with_unknown_items_is_no_trouble(factory: Factory, live: pl.DataFrame) -> None:
    strange = live.with_columns(item_id=pl.col("item_id") + 6)
    assert factory().fit(log(), validation=strange).recommend(live, k=2).height == 40


def test_the_global_generators_are_not_touched(factory: Factory, live: pl.DataFrame) -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr, unused-ignore]  # noqa: NPY002
    factory().fit(log()).recommend(live)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index, unused-ignore]  # noqa: NPY002


@pytest.mark.parametrize("words", [False, True])
def test_a_loaded_model_is_the_saved_one(factory: Factory, tmp_path: Path, words: bool) -> None:
    saved = factory().fit(log(words=words))
    asked = log(20, seed=8, words=words)
    saved.save(tmp_path / "model")
    loaded = type(saved).load(tmp_path / "model")
    assert repr(loaded) == repr(saved)
    assert loaded.fingerprint_ == saved.fingerprint_
    assert loaded.vocabulary_ == saved.vocabulary_
    assert_frame_equal(loaded.recommend(asked, k=12), saved.recommend(asked, k=12), check_exact=True)


def test_two_saves_give_equal_bytes(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "a")
    type(model).load(tmp_path / "a").save(tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["manifest.json", "vocabulary.parquet", "weights.safetensors"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def naive(frame: pl.DataFrame) -> pl.DataFrame:
    """Times without a zone: converting zoned pandas times draws a warning of pandas itself."""
    return frame.with_columns(pl.col("time").dt.replace_time_zone(None))
