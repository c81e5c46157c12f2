"""partial_fit: the catalogue grows, old rows stay, new rows come from what they are clicked with."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.clicks import generate_clicks, read_clicks
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.recommender import GRU4Rec
from recsys_gru.recommender.stream import grow, renumber
from recsys_gru.recommender.warm_start import extend
from recsys_gru.sessions import Sessions, Vocabulary
from recsys_gru.training import EpochReport


def small() -> GRU4Rec:
    return GRU4Rec(layers=(6,), batch_size=4, n_sample=8, n_epochs=2, momentum=0.1, device="cpu")


OLD = Vocabulary(pl.Series(["a", "b", "c"]), np.array([4, 3, 2]))


def test_new_items_come_after_the_old_ones_and_support_adds_up() -> None:
    extension = extend(OLD, Sessions.from_events(clicks_of("xbx", "yb")))
    assert extension.sessions.vocabulary.ids.to_list() == ["a", "b", "c", "x", "y"]
    assert extension.sessions.vocabulary.support.tolist() == [4, 5, 2, 2, 1]
    assert extension.new_items.to_list() == ["x", "y"]
    ids = extension.sessions.vocabulary.take(extension.sessions.items).to_list()
    assert sorted("".join(ids)) == sorted("xbxyb")


def test_vanished_items_are_dropped_by_choice() -> None:
    extension = extend(OLD, Sessions.from_events(clicks_of("cxa")), np.zeros(3, np.bool_))
    assert extension.sessions.vocabulary.ids.to_list() == ["a", "c", "x"]
    assert extension.kept.tolist() == [0, 2]


def test_rows_of_new_items_average_their_neighbours_or_everything() -> None:
    extension = extend(OLD, Sessions.from_events(clicks_of("axb", "axz", "zw")))
    rows = extension.rows_from(np.eye(3, dtype=np.float32))
    sources = dict(zip(extension.sessions.vocabulary.ids.to_list(), rows, strict=True))
    assert sources["b"].tolist() == [0, 1, 0]
    assert sources["x"].tolist() == pytest.approx([2 / 3, 1 / 3, 0])  # beside a twice, beside b once
    assert sources["w"].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])  # never beside an old item


def test_a_network_of_a_part_takes_the_catalogue_of_the_whole_in_its_order() -> None:
    model, whole = small(), Sessions.from_events(clicks_of("xab", "abc", "bca", "cay"))
    model.fit_part(Sessions.from_events(clicks_of("abc", "bca")))
    rows = dict(zip(model.vocabulary_.ids.to_list(), model.network_.tables["output"].clone(), strict=True))
    sums = dict(zip(model.vocabulary_.ids.to_list(), model.slots_["bias"]["sums"].clone(), strict=True))
    renumber(model.vocabulary_, whole, model.network_, model.slots_)
    ids = whole.vocabulary.ids.to_list()
    assert ids != [*rows, "x", "y"]  # the whole log has an order of its own
    assert model.network_.architecture.n_items == len(ids)
    for place, name in enumerate(ids):
        beside = {"x": "a", "y": "a"}.get(name, name)
        assert model.network_.tables["output"][place].equal(rows[beside])
        assert model.slots_["bias"]["sums"][place].equal(sums[beside])


def test_what_was_learned_in_two_parts_is_told_as_one_fit_tells_it() -> None:
    older, whole = clicks_of("abc", "bca"), clicks_of("abc", "bca", "xcay")
    model, alone = small(), small().fit(whole)
    model.fit_part(Sessions.from_events(older))
    model.fit_rest(Sessions.from_events(whole))
    assert model.vocabulary_ == alone.vocabulary_
    assert (model.span_, model.fingerprint_) == (alone.span_, alone.fingerprint_)
    told = model.recency_.state(), alone.recency_.state()
    assert all((told[0][name] == told[1][name]).all() for name in told[1])


def test_old_rows_and_the_optimisers_memory_are_carried_over_to_the_bit() -> None:
    model = small().fit(clicks_of("abc", "bca", "cab"))
    before = {name: values.clone() for name, values in model.network_.parameters()}
    memory = {
        (name, slot): values.clone() for name, slots in model.slots_.items() for slot, values in slots.items()
    }
    grow(extend(model.vocabulary_, Sessions.from_events(clicks_of("axb"))), model.network_, model.slots_)
    after = dict(model.network_.parameters())
    for name, values in before.items():
        assert torch.equal(after[name][: len(values)], values)
    for (name, slot), values in memory.items():
        assert torch.equal(model.slots_[name][slot][: len(values)], values)
        assert len(model.slots_[name][slot]) == len(after[name])
    mean = (before["output"][0] + before["output"][1]) / 2
    torch.testing.assert_close(after["output"][3], mean)


def test_it_learns_the_new_items_without_forgetting_the_old() -> None:
    old = generate_clicks(n_sessions=300, n_items=30, seed=1).select("session_id", "item_id", "time")
    model = small().fit(old)
    newer = clicks_of(*["xyz"] * 30).with_columns(pl.col("time") + pl.duration(days=400))
    mixed = old.with_columns(pl.col("item_id").cast(pl.String))
    model = small().fit(mixed)
    known = set(model.vocabulary_.ids.to_list())
    model.partial_fit(newer, n_epochs=20)
    assert model.new_items_.to_list() == ["x", "y", "z"]
    assert known < set(model.vocabulary_.ids.to_list())
    assert model.recommend_one(["x"], k=1)["item_id"].to_list() == ["y"]
    assert len(model.history_) == 20


def test_its_epochs_count_on_an_unfitted_model_too_and_for_that_call_alone() -> None:
    clicks = clicks_of("abc", "bca", "cab")
    heard: list[EpochReport] = []
    model = small()
    usual = model.n_epochs
    model.partial_fit(clicks, n_epochs=usual + 2, on_epoch=heard.append)
    assert len(model.history_) == len(heard) == usual + 2
    assert model.n_epochs == model.get_params()["n_epochs"] == usual
    longer = small().set_params(n_epochs=usual + 2).fit(clicks)
    assert torch.equal(model.network_.tables["output"], longer.network_.tables["output"])
    assert len(model.fit(clicks).history_) == usual
    with pytest.raises(ParameterError, match="n_epochs"):
        small().partial_fit(clicks, n_epochs=-1)


def test_on_an_unfitted_model_it_is_fit() -> None:
    clicks = clicks_of("abc", "bca", "cab")
    assert torch.equal(
        small().partial_fit(clicks).network_.tables["output"], small().fit(clicks).network_.tables["output"]
    )


def articles(first: int, n: int, start: int) -> pl.DataFrame:
    """Sessions of four clicks on items that nobody else clicks."""
    place = np.arange(n)
    return pl.DataFrame({"session_id": place // 4 + first, "item_id": place + first, "time": place + start})


def test_new_items_that_meet_no_old_one_take_memory_of_their_number_only() -> None:
    model = small().fit(articles(0, 3000, 1_600_000_000))
    mean = model.network_.tables["output"].numpy().mean(0)
    newer = Sessions.from_events(read_clicks(articles(10**6, 3000, 1_600_500_000)))
    tracemalloc.start()
    grow(extend(model.vocabulary_, newer), model.network_, model.slots_)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6  # each of 3,000 x 3,000 pairs would take 16 bytes: 144 MB
    rows = model.network_.tables["output"][3000:].numpy()
    np.testing.assert_allclose(rows, np.broadcast_to(mean, rows.shape), rtol=1e-5, atol=1e-7)


def test_where_all_old_items_vanish_the_new_ones_begin_at_their_mean() -> None:
    model = small().fit(clicks_of("abc", "bca", "cab"))
    mean = model.network_.tables["output"].numpy().mean(0)
    newer = Sessions.from_events(clicks_of("xy", "yz"))
    extension = extend(model.vocabulary_, newer, np.zeros(3, np.bool_))
    assert extension.sessions.vocabulary.ids.to_list() == ["x", "y", "z"]
    np.testing.assert_allclose(
        extension.rows_from(model.network_.tables["output"].numpy()), [mean] * 3, rtol=1e-5
    )
    model.partial_fit(clicks_of("xy", "yz"), keep_vanished=False)
    assert model.recommend_one(["x"])["item_id"].to_list() != []


def moment(log: pl.DataFrame, place: int) -> datetime:
    """The time of a click."""
    found = log["time"][place]
    assert isinstance(found, datetime)
    return found


def timed(seed: int = 5) -> pl.DataFrame:
    """Sessions of some hours over two days, in order of time."""
    log = generate_clicks(n_sessions=120, n_items=25, days=2, seed=seed).select(
        "session_id", "item_id", "time"
    )
    place = pl.int_range(pl.len()).over("session_id")
    return (
        log.sort("session_id", "time")
        .with_columns(pl.col("time") + place * pl.duration(hours=1))
        .sort("time")
    )


@settings(max_examples=8, deadline=None)
@given(st.sets(st.integers(13, 60), max_size=5))
def test_pieces_learn_every_transition_and_count_every_click_once(hours: set[int]) -> None:
    log = timed()
    begin = moment(log, 0)
    cuts = [begin + timedelta(hours=hour) for hour in sorted(hours | {12})]
    model = small().set_params(n_epochs=1, batch_size=1).fit(log.filter(pl.col("time") < cuts[0]))
    learned = sum(epoch.events for epoch in model.history_)
    for since, end in pairwise([*cuts, datetime(2100, 1, 1, tzinfo=UTC)]):
        model.partial_fit(log.filter(pl.col("time") < end), since=since)
        learned += sum(epoch.events for epoch in model.history_)
    assert learned == log.height - log["session_id"].n_unique()
    counted = dict(zip(model.vocabulary_.ids.to_list(), model.vocabulary_.support.tolist(), strict=True))
    assert counted == dict(log["item_id"].value_counts().rows())


def test_a_piece_learned_twice_is_noticed() -> None:
    log = timed()
    since = moment(log, 200)
    model = small().fit(log.filter(pl.col("time") < since)).partial_fit(log, since=since)
    weights = model.network_.tables["output"].clone()
    with pytest.raises(ClickLogError, match="not learned yet"):
        model.partial_fit(log, since=since)
    assert torch.equal(model.network_.tables["output"], weights)


def test_a_piece_without_a_click_or_a_transition_is_no_error() -> None:
    log = timed()
    model = small().fit(log)
    model.partial_fit(log, since=datetime(2100, 1, 1, tzinfo=UTC))
    assert model.history_ == ()
    assert len(model.new_items_) == 0
    lone = pl.DataFrame(
        {"session_id": [10**6], "item_id": [777], "time": [moment(log, -1) + timedelta(hours=1)]}
    )
    model.partial_fit(lone, since=moment(lone, 0))
    assert model.history_ == ()
    assert model.new_items_.to_list() == [777]
    assert model.recommend_one([777], k=3)["source"].to_list() == ["model"] * 3


def test_items_without_a_click_for_long_are_forgotten_with_their_memory() -> None:
    model = small().set_params(forget_after=1.0)
    day = timedelta(days=1)
    model.fit(articles(0, 40, 1_600_000_000))
    start = datetime.fromtimestamp(1_600_000_000, UTC)
    for step in range(1, 12):
        newer = articles(40 * step, 40, 1_600_000_000 + 86_400 * step)
        model.partial_fit(newer, since=start + step * day)
        assert len(model.vocabulary_) <= 80
        sizes = {
            len(values) for values in (*model.network_.tables.values(), *model.slots_["output"].values())
        }
        assert sizes == {len(model.vocabulary_)} == {len(model.recency_.last)}
        assert model.network_.tables["output"].untyped_storage().nbytes() < 4 * 6 * 200
    assert min(model.vocabulary_.ids.to_list()) >= 40 * 10


def test_it_goes_on_from_a_saved_model_to_the_bit(tmp_path: Path) -> None:
    log = timed()
    since = moment(log, 200)
    model = small().set_params(half_life=50.0, forget_after=2.0).fit(log.filter(pl.col("time") < since))
    model.save(tmp_path / "model")
    again = GRU4Rec.load(tmp_path / "model").partial_fit(log, since=since)
    model.partial_fit(log, since=since)
    for (name, ours), (_, theirs) in zip(
        model.network_.parameters(), again.network_.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    np.testing.assert_array_equal(model.recency_.recent, again.recency_.recent)


@given(st.sets(st.integers(13, 60), max_size=5))
@settings(max_examples=8, deadline=None)
def test_clicks_of_late_do_not_depend_on_the_pieces(hours: set[int]) -> None:
    log = timed()
    begin = moment(log, 0)
    cuts = [begin + timedelta(hours=hour) for hour in sorted(hours | {12})]
    model = small().set_params(half_life=40.0, n_epochs=1).fit(log.filter(pl.col("time") < cuts[0]))
    for since, end in pairwise([*cuts, datetime(2100, 1, 1, tzinfo=UTC)]):
        model.partial_fit(log.filter(pl.col("time") < end), since=since)
    everything = Sessions.from_events(log)
    clicked = everything.items[np.argsort(everything.times, kind="stable")]
    whole: dict[int, float] = {}
    for later, item in enumerate(everything.vocabulary.take(clicked[::-1]).to_list()):
        whole[item] = whole.get(item, 0.0) + 0.5 ** (later / 40)
    found = dict(zip(model.vocabulary_.ids.to_list(), model.recency_.recent.tolist(), strict=True))
    assert found == pytest.approx(whole)
