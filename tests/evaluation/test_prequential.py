"""Prequential evaluation against a plain loop over periods, and what it must refuse."""

import copy
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pytest
from polars.testing import assert_frame_equal

import recsys_gru as rg
from recsys_gru.contract.toy import clicks_of
from recsys_gru.evaluation.replay import Ties
from recsys_gru.evaluation.stream_page import StreamPage
from recsys_gru.observers import FitStarted, Followed, listening

HOURS = timedelta(hours=8)
KEYS = ["session_id", "time", "item_id"]


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    """Sessions that run over hours, and items that come up late."""
    clicks = rg.generate_clicks(n_sessions=500, n_items=40, days=6, seed=3).select(
        "session_id", "item_id", "time"
    )
    place = pl.int_range(pl.len()).over("session_id")
    spread = clicks.sort("session_id", "time").with_columns(pl.col("time") + place * pl.duration(hours=3))
    late = (pl.col("time") > pl.col("time").max() - pl.duration(days=2)) & (pl.col("item_id") % 7 == 0)
    return spread.with_columns(
        item_id=pl.when(late).then(pl.col("item_id") + 1000).otherwise("item_id")
    ).sort("time")


@pytest.fixture(scope="module")
def start(log: pl.DataFrame) -> datetime:
    return log["time"].max() - timedelta(days=2)  # type: ignore[operator, return-value]


@pytest.fixture(scope="module")
def model(log: pl.DataFrame, start: datetime) -> rg.GRU4Rec:
    small = rg.GRU4Rec(layers=8, batch_size=8, n_sample=16, n_epochs=2, learning_rate=0.1, device="cpu")
    return small.fit(log.filter(pl.col("time") < start))


def by_hand(model: rg.GRU4Rec, log: pl.DataFrame, start: datetime, learn: bool) -> pl.DataFrame:
    """Every period on its own: evaluate whole sessions so far, keep the period's clicks, learn it."""
    found, moment = [], start
    while moment <= log["time"].max():  # type: ignore[operator]
        after = moment + HOURS
        past = log.filter(pl.col("time") < after)
        here = past.filter(pl.col("time") >= moment)["session_id"].unique()
        sessions = past.filter(pl.col("session_id").is_in(here.implode()))
        report = rg.evaluate(model, sessions, (20,), unknown="miss")
        found.append(report.ranks.filter(pl.col("time") >= moment))
        if learn:
            model.partial_fit(sessions, since=moment)
        moment = after
    return pl.concat(found, how="vertical_relaxed")


@pytest.mark.parametrize("learn", [True, False])
def test_it_is_a_plain_loop_over_periods(
    model: rg.GRU4Rec, log: pl.DataFrame, start: datetime, learn: bool
) -> None:
    plain, followed = copy.deepcopy(model), copy.deepcopy(model)
    expected = by_hand(plain, log, start, learn)
    before = log.clone()
    report = rg.prequential(followed, log, every=HOURS, start=start, learn=learn)
    assert_frame_equal(log, before)
    assert_frame_equal(report.ranks.sort(KEYS), expected.sort(KEYS), check_exact=True)
    assert followed.fingerprint_ == plain.fingerprint_
    assert (followed.fingerprint_ != model.fingerprint_) == learn
    assert report.events == report.periods["events"].sum() == expected.height
    hits = report.periods["recall_at_20"] * report.periods["events"]
    assert report.recall[20] == pytest.approx(hits.sum() / report.events)


def test_every_click_after_the_first_is_counted_once_whatever_the_model(
    model: rg.GRU4Rec, log: pl.DataFrame, start: datetime
) -> None:
    late = log.with_columns(first=pl.col("time").min().over("session_id")).filter(pl.col("time") >= start)
    expected = late.filter(pl.col("time") > pl.col("first")).height
    train = log.filter(pl.col("time") < start)
    for other in (
        copy.deepcopy(model),
        rg.Markov().fit(train),
        rg.VMISKNN().fit(train),
        rg.STAN().fit(train),
    ):
        report = rg.prequential(other, log, every=HOURS, start=start)
        assert report.events == expected, type(other).__name__
        assert report.recall[20] > 0


def test_learning_knows_new_items_that_a_frozen_model_misses(
    model: rg.GRU4Rec, log: pl.DataFrame, start: datetime
) -> None:
    reports = {
        learn: rg.prequential(copy.deepcopy(model), log, every=HOURS, start=start, learn=learn)
        for learn in (True, False)
    }
    assert reports[True].unknown < reports[False].unknown
    assert reports[True].recall[20] > reports[False].recall[20]
    assert reports[False].periods["seconds"].max() == 0
    items = reports[True].periods["items"].to_list()
    assert items == sorted(items)
    assert items[-1] > items[0]


def test_it_begins_after_what_the_model_has_learned(
    model: rg.GRU4Rec, log: pl.DataFrame, start: datetime
) -> None:
    report = rg.prequential(copy.deepcopy(model), log, every=HOURS)
    learned = log.filter(pl.col("time") < start)["time"].max()
    assert report.periods["start"][0] == learned + timedelta(microseconds=1)  # type: ignore[operator]


def test_what_was_learned_is_not_learned_again(model: rg.GRU4Rec, log: pl.DataFrame, start: datetime) -> None:
    with pytest.raises(rg.errors.ClickLogError, match="not learned yet"):
        rg.prequential(copy.deepcopy(model), log, every=HOURS, start=start - timedelta(days=1))
    report = rg.prequential(
        copy.deepcopy(model), log, every=HOURS, start=start - timedelta(days=1), learn=False
    )
    assert any("has learned from" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"every": timedelta(0)}, "length of time"),
        ({"every": 3600}, "length of time"),
        ({"start": "2026-01-01"}, "moment"),
        ({"learn": 2}, "learn"),
        ({"unknown": "keep"}, "unknown"),
        ({"ties": "best"}, "ties"),
        ({"cutoffs": (0,)}, "cut-off"),
        ({"start": datetime(2100, 1, 1, tzinfo=UTC)}, "earlier start"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_arguments_are_refused_in_words(
    model: rg.GRU4Rec, log: pl.DataFrame, given: dict[str, object], said: str
) -> None:
    with pytest.raises(rg.errors.RecsysError, match=said):
        rg.prequential(copy.deepcopy(model), log, **given)  # type: ignore[arg-type]


def test_listeners_hear_of_the_stream_as_a_whole(
    model: rg.GRU4Rec, log: pl.DataFrame, start: datetime
) -> None:
    heard: list[object] = []
    with listening(heard.append):
        report = rg.prequential(copy.deepcopy(model), log, every=HOURS, start=start)
    assert [type(event) for event in heard] == [Followed]
    assert heard[0].report is report  # type: ignore[attr-defined]
    assert FitStarted not in map(type, heard)


def test_the_page_tells_every_period(model: rg.GRU4Rec, log: pl.DataFrame, start: datetime) -> None:
    report = rg.prequential(copy.deepcopy(model), log, every=HOURS, start=start)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        StreamPage("A <stream>", {"learning": report}).write(page)
        text = page.read_text()
    assert "A &lt;stream&gt;" in text
    assert f"{report.recall[20]:.4f}" in text
    assert text.count("<tr>") == report.periods.height + 1


def test_a_log_of_one_period_and_of_one_click() -> None:
    fitted = rg.Markov().fit(clicks_of("abc", "bca"))
    only = clicks_of("ab").with_columns(
        pl.col("time") + pl.duration(days=400), session_id=pl.lit(99, pl.Int64)
    )
    report = rg.prequential(fitted, only, every=timedelta(days=1))
    assert report.periods.height == 1
    assert report.events == 1
    with pytest.raises(rg.errors.ClickLogError, match="goes before"):
        rg.prequential(rg.Markov().fit(clicks_of("abc", "bca")), only.head(1), learn=False)


@pytest.mark.parametrize("up_to", [5, 20, 39])
@pytest.mark.parametrize("ties", ["conservative", "standard"])
def test_ranks_up_to_a_depth_are_those_of_the_whole_catalogue(
    model: rg.GRU4Rec, log: pl.DataFrame, start: datetime, up_to: int, ties: Ties
) -> None:
    markov = rg.Markov().fit(log.filter(pl.col("time") < start))  # whose scores are often alike
    for one in (model, markov):
        whole, told = (
            rg.prequential(one, log, HOURS, start, learn=False, cutoffs=(5,), ties=ties, up_to=depth)
            for depth in (None, up_to)
        )
        assert (told.recall, told.mrr, told.unknown) == (whole.recall, whole.mrr, whole.unknown)
        rank = {"conservative": "rank", "standard": "rank_standard"}[ties]
        for name in (rank, "rank_shown"):
            deep = pl.when(pl.col(name) <= up_to).then(name).otherwise(float("inf"))
            assert told.ranks[name].equals(whole.ranks.select(deep)[name])
        assert told.ranks.drop(cs.starts_with("rank")).equals(whole.ranks.drop(cs.starts_with("rank")))


def test_lists_do_not_tell_median_ties_nor_deeper_cutoffs(model: rg.GRU4Rec, log: pl.DataFrame) -> None:
    with pytest.raises(rg.errors.ParameterError, match="median"):
        rg.prequential(model, log, HOURS, learn=False, ties="median", up_to=20)
    with pytest.raises(rg.errors.ParameterError, match="at least 20"):
        rg.prequential(model, log, HOURS, learn=False, up_to=10)
