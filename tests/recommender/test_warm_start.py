"""partial_fit: the catalogue grows, old rows stay, new rows come from what they are clicked with."""

import tracemalloc

import numpy as np
import polars as pl
import pytest
import torch

from recsys_gru.clicks import generate_clicks, read_clicks
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import ParameterError
from recsys_gru.recommender import GRU4Rec
from recsys_gru.recommender.warm_start import carry_over, extend
from recsys_gru.sessions import Sessions, Vocabulary
from recsys_gru.training import EpochReport


def small() -> GRU4Rec:
    return GRU4Rec(layers=(6,), batch_size=4, n_sample=8, n_epochs=2, momentum=0.1, device="cpu")


OLD = Vocabulary(pl.Series(["a", "b", "c"]), np.array([4, 3, 2]))


def test_new_items_come_after_the_old_ones_and_support_adds_up() -> None:
    extension = extend(OLD, Sessions.from_events(clicks_of("xbx", "yb")), keep_vanished=True)
    assert extension.sessions.vocabulary.ids.to_list() == ["a", "b", "c", "x", "y"]
    assert extension.sessions.vocabulary.support.tolist() == [4, 5, 2, 2, 1]
    assert extension.new_items.to_list() == ["x", "y"]
    ids = extension.sessions.vocabulary.take(extension.sessions.items).to_list()
    assert sorted("".join(ids)) == sorted("xbxyb")


def test_vanished_items_are_dropped_by_choice() -> None:
    extension = extend(OLD, Sessions.from_events(clicks_of("cxa")), keep_vanished=False)
    assert extension.sessions.vocabulary.ids.to_list() == ["a", "c", "x"]
    assert extension.kept.tolist() == [0, 2]


def test_rows_of_new_items_average_their_neighbours_or_everything() -> None:
    extension = extend(OLD, Sessions.from_events(clicks_of("axb", "axz", "zw")), keep_vanished=True)
    sources = dict(zip(extension.sessions.vocabulary.ids.to_list(), extension.sources.toarray(), strict=True))
    assert sources["b"].tolist() == [0, 1, 0]
    assert sources["x"].tolist() == pytest.approx([2 / 3, 1 / 3, 0])  # beside a twice, beside b once
    assert sources["w"].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])  # never beside an old item


def test_old_rows_and_the_optimisers_memory_are_carried_over_to_the_bit() -> None:
    model = small().fit(clicks_of("abc", "bca", "cab"))
    extension = extend(model.vocabulary_, Sessions.from_events(clicks_of("axb")), keep_vanished=True)
    learner = model.settings().learner(extension.sessions.vocabulary.support, 1, torch.device("cpu"))
    carry_over(extension, model.network_, model.slots_, learner)
    ours = dict(learner.network.parameters())
    for name, values in model.network_.parameters():
        assert torch.equal(ours[name][: len(values)], values)
        for slot, memory in model.slots_[name].items():
            assert torch.equal(learner.optimiser.slots[name][slot][: len(memory)], memory)
    mean = (model.network_.tables["output"][0] + model.network_.tables["output"][1]) / 2
    torch.testing.assert_close(ours["output"][3], mean)


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
    extension = extend(model.vocabulary_, newer, keep_vanished=True)
    learner = model.settings().learner(extension.sessions.vocabulary.support, 4, torch.device("cpu"))
    carry_over(extension, model.network_, model.slots_, learner)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6  # each of 3,000 x 3,000 pairs would take 16 bytes: 144 MB
    rows = dict(learner.network.parameters())["output"][3000:].numpy()
    np.testing.assert_allclose(rows, np.broadcast_to(mean, rows.shape), rtol=1e-5, atol=1e-7)


def test_where_all_old_items_vanish_the_new_ones_begin_at_their_mean() -> None:
    model = small().fit(clicks_of("abc", "bca", "cab"))
    mean = model.network_.tables["output"].numpy().mean(0)
    extension = extend(model.vocabulary_, Sessions.from_events(clicks_of("xy", "yz")), keep_vanished=False)
    assert extension.sessions.vocabulary.ids.to_list() == ["x", "y", "z"]
    np.testing.assert_allclose(
        extension.rows_from(model.network_.tables["output"].numpy()), [mean] * 3, rtol=1e-5
    )
    model.partial_fit(clicks_of("xy", "yz"), keep_vanished=False)
    assert model.recommend_one(["x"])["item_id"].to_list() != []
