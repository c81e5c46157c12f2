"""Learning a log in pieces is learning it at once: every model of counts against one fit on all clicks."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recsys_gru as rg
from recsys_gru.contract import Incremental, Recommender
from recsys_gru.contract.bundle import Bundle
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.sessions import Sessions, moment_of
from tests.contract.suite import FACTORIES, log

BEFORE = Path(__file__).parents[1] / "written_before"
MODELS: dict[str, Callable[[], Any]] = {
    **{name: factory for name, factory in FACTORIES.items() if name not in ("GRU4Rec", "Blend")},
    "RecentPopularity of minutes": lambda: rg.RecentPopularity(half_life=1e-3),
    "SequentialRules within 2": lambda: rg.SequentialRules(reach=2),
    "ItemKNN of 2": lambda: rg.ItemKNN(neighbors=2, damping=0.5, balance=0.3),
    "SKNN of 2": lambda: rg.SKNN(neighbors=2, sample_size=3),
    "VSKNN of a day": lambda: rg.VSKNN(neighbors=3, sample_size=5, window=1.0),
    "VMISKNN of an hour": lambda: rg.VMISKNN(window=1 / 24),
    "STAN of an hour": lambda: rg.STAN(neighbors=3, recency=0.01, window=1 / 24),
}
COUNTED_ANYWAY = ("Popularity", "SessionPopularity", "Repeats")
SAVED_COUNTS = [name for name in MODELS if name in FACTORIES and name not in COUNTED_ANYWAY]
EVERY = pytest.mark.parametrize("name", MODELS)
SECOND, HOUR, DAY = 1, 3600, 86_400
START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = st.sampled_from([0, 0, SECOND, 60, HOUR, DAY])
CLICK = st.tuples(st.integers(1, 6), st.integers(0, 7), STEP)


@st.composite
def timed_logs(draw: st.DrawFn) -> tuple[pl.DataFrame, list[datetime]]:
    """A log in which some clicks are of one time and sessions come back after days, and moments to cut it at;
    before the first of these it has two items.
    """
    clicks = [(0, 0, 0), (0, 1, SECOND), *draw(st.lists(CLICK, min_size=1, max_size=40))]
    seconds = np.cumsum([step for _, _, step in clicks])
    events = pl.DataFrame(
        {
            "session_id": [session for session, _, _ in clicks],
            "item_id": [item for _, item, _ in clicks],
            "time": [START + timedelta(seconds=int(second)) for second in seconds],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    if draw(st.booleans()):
        events = events.with_columns(pl.format("visit {}", "session_id").alias("session_id"))
    last = int(seconds[-1])
    cuts = draw(st.lists(st.integers(2, max(2, last + 1)), min_size=1, max_size=5, unique=True))
    return events, [START + timedelta(seconds=cut) for cut in sorted(cuts)]


def piece(events: pl.DataFrame, since: datetime, until: datetime | None, everything: bool) -> Sessions:
    """The clicks before a moment; if not everything, of those sessions only that have one since another."""
    before = events if until is None else events.filter(pl.col("time") < until)
    if not everything:
        here = before.filter(pl.col("time") >= since)["session_id"].unique()
        before = before.filter(pl.col("session_id").is_in(here.to_list()))
    return Sessions.from_events(before)


def again(model: Incremental) -> Incremental:
    """The model after it has been saved and loaded."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        return type(model).load(Path(folder) / "model")


def scores(model: Recommender, events: pl.DataFrame) -> pl.DataFrame:
    """The scores of all items, ordered by id, after every click of a log."""
    asked = Sessions.from_events(events, model.vocabulary_)
    ends = np.concatenate([one.rows for every in (True, False) for one in model.blocks(asked, every)])
    found = [one.tile(0, one.n_items).copy() for every in (True, False) for one in model.blocks(asked, every)]
    order = model.vocabulary_.ids.arg_sort().to_numpy()
    table = np.concatenate(found)[np.argsort(ends, kind="stable")][:, order]
    return pl.DataFrame(table, schema=[str(item) for item in model.vocabulary_.ids.sort()])


def require_equal(model: Recommender, whole: Recommender, asked: pl.DataFrame) -> None:
    """Both have learned the same, to rounding."""
    found, expected = scores(model, asked), scores(whole, asked)
    assert found.columns == expected.columns
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-5, atol=1e-9)
    support = [
        dict(zip(one.vocabulary_.ids, one.vocabulary_.support.tolist(), strict=True))
        for one in (model, whole)
    ]
    assert support[0] == support[1]
    assert model.span_ == whole.span_


@EVERY
@given(timed_logs(), st.booleans(), st.booleans())
@settings(max_examples=40)
def test_a_log_learned_in_pieces_is_a_log_learned_at_once(
    name: str, cut: tuple[pl.DataFrame, list[datetime]], everything: bool, saved: bool
) -> None:
    events, moments = cut
    model = MODELS[name]().fit(piece(events, START, moments[0], everything=True))
    for since, until in zip(moments, [*moments[1:], None], strict=True):
        model = again(model) if saved else model
        model.partial_fit(piece(events, since, until, everything), since=since)
    require_equal(model, MODELS[name]().fit(Sessions.from_events(events)), events)


@EVERY
def test_a_piece_learned_twice_is_refused_and_changes_nothing(name: str) -> None:
    events, middle = log(30), moment_of(int(Sessions.from_events(log(30)).times[80]))
    model = MODELS[name]().fit(events.filter(pl.col("time") < middle))
    model.partial_fit(events, since=middle)
    before = {key: array.copy() for key, array in model._state().items()}
    for late in (middle, middle + timedelta(hours=2)):
        with pytest.raises(ClickLogError, match="not learned yet"):
            model.partial_fit(events, since=late)
    assert all((model._state()[key] == array).all() for key, array in before.items())
    require_equal(model, MODELS[name]().fit(events), log(5))


@EVERY
def test_whole_newer_sessions_all_count(name: str) -> None:
    older, newer = log(20), log(15, seed=5, first=20)
    model = MODELS[name]().fit(older).partial_fit(newer)
    require_equal(model, MODELS[name]().fit(pl.concat([older, newer])), newer)


@EVERY
def test_on_an_unfitted_model_it_is_fit(name: str) -> None:
    assert (
        MODELS[name]()
        .partial_fit(log(9))
        .recommend(log(5))
        .equals(MODELS[name]().fit(log(9)).recommend(log(5)))
    )


@EVERY
def test_a_piece_of_no_click_changes_nothing_and_a_log_of_none_is_refused(name: str) -> None:
    model = MODELS[name]().fit(log(9))
    before = (model.fingerprint_, model.span_, model.vocabulary_)
    model.partial_fit(log(9), since=datetime(2027, 1, 1, tzinfo=UTC))
    model.partial_fit(log(9).clear(), since=datetime(2027, 1, 1, tzinfo=UTC))
    assert before == (model.fingerprint_, model.span_, model.vocabulary_)
    with pytest.raises(ClickLogError, match="got none"):
        model.partial_fit(log(9).clear())
    with pytest.raises(ParameterError, match="moment"):
        model.partial_fit(log(9), since="yesterday")


@EVERY
def test_clicks_of_one_item_can_be_learned(name: str) -> None:
    clicks = clicks_of("ab", "cb", "d")
    last = clicks["session_id"] == clicks["session_id"].max()
    model = MODELS[name]().fit(clicks.filter(~last)).partial_fit(clicks.filter(last))
    require_equal(model, MODELS[name]().fit(clicks), clicks)


@EVERY
def test_what_is_learned_is_remembered(name: str) -> None:
    model = MODELS[name]().fit(log(9))
    model.partial_fit(log(9, seed=8, first=10))
    assert model.fingerprint_ != MODELS[name]().fit(log(9)).fingerprint_
    first, last = (Sessions.from_events(events).times for events in (log(9), log(9, seed=8, first=10)))
    assert model.span_ == (first.min(), last.max())


@pytest.mark.parametrize("name", SAVED_COUNTS)
def test_a_model_saved_without_counts_says_that_it_cannot_go_on(name: str) -> None:
    model = FACTORIES[name]().fit(log(9))
    needed = {key for key, field in (model._layout() or {}).items() if not field.optional}
    arrays = {key: array for key, array in model._state().items() if key in needed}
    assert arrays.keys() < model._state().keys()
    bundle = Bundle(name, model.parameters(), arrays, model.vocabulary_, model.fingerprint_)
    loaded: Any = type(model).of_bundle(bundle, "a folder")
    assert loaded.recommend(log(5)).equals(model.recommend(log(5)))
    assert loaded._state().keys() == arrays.keys()
    with pytest.raises(
        ParameterError, match=f"{name} that can go on.*saved by an earlier version.*fit it again"
    ):
        loaded.partial_fit(log(5, first=50))
    loaded.fit(log(9)).partial_fit(log(5, first=50))


@pytest.mark.parametrize("name", ["vsknn", "markov"])
def test_a_model_written_before_says_that_it_cannot_go_on(name: str) -> None:
    model: Any = rg.load(BEFORE / name)
    with pytest.raises(ParameterError, match="saved by an earlier version"):
        model.partial_fit(BEFORE / "clicks.parquet")


def test_hyper_parameters_that_were_changed_are_refused_by_name() -> None:
    model = rg.RecentPopularity(half_life=2.0).fit(log(9)).set_params(half_life=3.0)
    with pytest.raises(ParameterError, match=r"RecentPopularity was fitted with, but half_life changed"):
        model.partial_fit(log(5, first=50))
    model.set_params(half_life=np.float64(2)).partial_fit(log(5, first=50))


def test_a_session_that_goes_on_is_one_session() -> None:
    clicks = clicks_of("abc", "dc")
    since = clicks["time"].sort()[2]
    model = rg.SKNN().fit(clicks.filter(pl.col("time") < since))
    assert (model.learned_.keys.tolist(), np.diff(model.learned_.offsets).tolist()) == ([0], [2])
    model.partial_fit(clicks, since=since)
    assert (model.learned_.keys.tolist(), np.diff(model.learned_.offsets).tolist()) == ([0, 1], [3, 2])


def test_sessions_vote_no_longer_than_the_window_and_come_back_when_they_go_on() -> None:
    def at(day: int, session: int, item: str) -> pl.DataFrame:
        return clicks_of(item).with_columns(session_id=session, time=pl.col("time") + pl.duration(days=day))

    early = pl.concat([at(0, 1, "a"), at(1, 1, "x"), at(2, 2, "a"), at(3, 2, "y")])
    model = rg.SKNN(window=1.5).fit(early)
    assert sorted(model.learned_.keys.tolist()) == [2]
    assert model.recommend_one(["a"])["score"].to_list()[-1] == 0
    later = pl.concat([early, at(9, 1, "z")])
    model.partial_fit(later, since=later["time"].max())  # type: ignore[arg-type]
    assert model.learned_.keys.tolist() == [1]
    found = model.recommend_one(["a"])
    assert dict(zip(found["item_id"], found["score"] > 0, strict=True)) == {"x": True, "y": False, "z": True}


@pytest.mark.parametrize("window", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [rg.SKNN, rg.VSKNN, rg.STAN, rg.VSTAN, rg.VMISKNN])
def test_an_impossible_window_is_refused(kind: Callable[..., Recommender], window: float) -> None:
    with pytest.raises(ParameterError, match="window"):
        kind(window=window).fit(log(5))


class Refitted:
    """A model without partial_fit, which prequential fits anew."""

    def __init__(self, model: Recommender) -> None:
        self._model = model

    def __getattr__(self, name: str) -> object:
        if name == "partial_fit":
            raise AttributeError(name)
        return getattr(self._model, name)


@EVERY
def test_following_a_stream_gives_the_ranks_of_fitting_anew(name: str) -> None:
    events = log(60)
    start = events["time"].min() + timedelta(hours=20)  # type: ignore[operator]
    early = events.filter(pl.col("time") < start)
    models = MODELS[name]().fit(early), Refitted(MODELS[name]().fit(early))
    following, anew = (
        rg.prequential(model, events, timedelta(hours=7, minutes=3), start)  # type: ignore[arg-type]
        for model in models
    )
    assert following.periods.height > 4
    assert following.periods.drop("seconds").equals(anew.periods.drop("seconds"))
    assert following.ranks.equals(anew.ranks)
