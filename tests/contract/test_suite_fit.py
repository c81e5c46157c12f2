"""Every recommender: how it learns, what it takes, how it is kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from recsys_gru.contract import Recommender
from recsys_gru.errors import ClickLogError, NotFittedError
from recsys_gru.evaluation import evaluate
from recsys_gru.observers import Event, FitEnded, FitStarted, listening
from recsys_gru.sessions import Sessions
from tests.contract.suite import log, named

Factory = Callable[[], Recommender]


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


def test_the_search_space_is_of_parameters_and_holds_their_defaults(factory: Factory) -> None:
    kind = type(factory())
    for name, span in kind.search_space().items():
        default = kind().parameters()[name]
        if isinstance(span, list):
            assert default in span
        else:
            scale, low, high, logarithmic = span
            assert isinstance(default, int if scale == "int" else float)
            assert low <= default <= high
            assert low > 0 or not logarithmic


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


def test_words_and_numbers_get_the_same_ranks(factory: Factory, live: pl.DataFrame) -> None:
    plain = factory().fit(log()).recommend(live)
    worded = factory().fit(log(words=True)).recommend(named(live))
    assert worded["item_id"].dtype == pl.String
    assert "cat 🐈" in worded["item_id"].to_list()
    assert_frame_equal(named(plain), worded, check_exact=True)


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
    assert names == ["card.md", "manifest.json", "vocabulary.parquet", "weights.safetensors"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def naive(frame: pl.DataFrame) -> pl.DataFrame:
    """Times without a zone: converting zoned pandas times draws a warning of pandas itself."""
    return frame.with_columns(pl.col("time").dt.replace_time_zone(None))
