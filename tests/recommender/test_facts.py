"""Facts about items: in the catalogue without a click, new ones at once, saved, gone on from."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from recsys_gru import Blend, Markov, Popularity, evaluate, load
from recsys_gru.clicks.catalogue import Catalogue, generate_catalogue
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import CheckpointError, InputError, NotFittedError, ParameterError, SchemaError
from recsys_gru.evaluation import Report
from recsys_gru.facts import check_items
from recsys_gru.model.facts import Facts
from recsys_gru.recommender import GRU4Rec
from recsys_gru.recommender.network_recommender import encoding_in
from recsys_gru.serving.served import Served
from recsys_gru.training import EpochReport

KINDS: dict[str, dict[str, Any]] = {
    "tied": {},
    "separate": {"constrained_embedding": False, "embedding": 8},
    "one-hot": {"constrained_embedding": False},
    "cosine": {"scale": 10.0, "look_back": 2},
    "adam": {"optimizer": "adam", "learning_rate": 0.01, "cell": "lstm"},
}


def small(**own: Any) -> GRU4Rec:  # noqa: ANN401 - hyper-parameters
    given: dict[str, Any] = {
        "layers": (12,),
        "batch_size": 16,
        "n_sample": 32,
        "n_epochs": 2,
        "device": "cpu",
        "logq": 1.0,
    }
    return GRU4Rec(**given | own)


@pytest.fixture(scope="module")
def made() -> Catalogue:
    return generate_catalogue(n_sessions=1500, n_items=200, days=4, seed=1)


@pytest.fixture(scope="module")
def parts(made: Catalogue) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The clicks of the days before the last one, and those of the last."""
    start = made.clicks["time"].min()
    assert isinstance(start, datetime)
    cut = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=3)
    first = pl.col("time").min().over("session_id")
    return made.clicks.filter(pl.col("time") < cut), made.clicks.filter(first >= cut)


@pytest.fixture(scope="module")
def model(made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame]) -> GRU4Rec:
    return small().fit(parts[0], items=made.items)


@pytest.fixture
def again(model: GRU4Rec, tmp_path: Path) -> GRU4Rec:
    """The same model, to be changed."""
    model.save(tmp_path / "own")
    return GRU4Rec.load(tmp_path / "own")


def new_in(made: Catalogue, clicks: pl.DataFrame) -> list[int]:
    """The items that no click of a log names."""
    found = made.items.filter(~pl.col("item_id").is_in(clicks["item_id"].unique().implode()))
    return found["item_id"].to_list()


@pytest.mark.parametrize("own", KINDS.values(), ids=KINDS)
def test_what_nobody_has_clicked_is_recommended_from_facts(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame], own: dict[str, Any], tmp_path: Path
) -> None:
    train, test = parts
    model, new = small(**own).fit(train, items=made.items), new_in(made, train)
    assert new
    table = model.recommend(test, k=200, exclude_seen=False)
    facts = set(table.filter(pl.col("source") == "facts")["item_id"])
    assert facts == set(new)
    assert set(table["source"]) == {"model", "facts"}
    cold = np.flatnonzero(model.vocabulary_.support == 0)
    assert all(not values[torch.from_numpy(cold)].any() for values in model.network_.tables.values())
    ranks = evaluate(model, test, cutoffs=(20,)).ranks
    assert set(ranks["item_id"]) & facts  # they are known items there
    assert model.recommend_one([], k=5)["source"].to_list() == ["popularity"] * 5
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.recommend(test, k=200, exclude_seen=False).equals(table)
    back.save(tmp_path / "again")
    assert back.similar_items(new[0], k=3).equals(model.similar_items(new[0], k=3))
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("model", "again")]
    assert weights[0] == weights[1]


def test_facts_lead_to_new_items_and_shuffled_ones_do_not(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    train, test = parts
    new = new_in(made, train)

    def found(items: pl.DataFrame) -> float:
        report = evaluate(small(n_epochs=12, scale=10.0).fit(train, items=items), test, cutoffs=(20,))
        ranks = report.ranks.filter(pl.col("item_id").is_in(new))
        return float((ranks["rank"] <= 20).mean())  # type: ignore[arg-type]

    shuffled = made.items.with_columns(pl.col("item_id").shuffle(seed=1))
    assert found(made.items) > 2 * found(shuffled)


def test_added_items_are_recommended_at_once_and_nothing_else_changes(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame], again: GRU4Rec
) -> None:
    seen = parts[1]["item_id"].head(2).to_list()
    before, state = again.recommend_one(seen, k=500), again._state()
    like = made.items.filter(pl.col("item_id") == before["item_id"][0]).with_columns(item_id=9999)
    assert again.add_items(like) is again
    assert again.new_items_.to_list() == [9999]
    after = again.recommend_one(seen, k=500)
    assert after.filter(pl.col("item_id") == 9999)["source"].to_list() == ["facts"]
    assert after.filter(pl.col("item_id") != 9999).drop("rank").equals(before.drop("rank"))
    for name, values in state.items():
        now = again._state()[name]
        assert np.array_equal(now[: len(values)] if now.shape != values.shape else now, values), name


def test_an_added_item_is_what_it_would_have_been_at_fit(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    train, new = parts[0], new_in(made, parts[0])
    late = made.items.filter(pl.col("item_id").is_in(new[-3:]))
    early = made.items.filter(~pl.col("item_id").is_in(new[-3:]))
    whole, grown = small().fit(train, items=early), small().fit(train, items=early).add_items(late)
    assert whole.recommend_one([5], k=300).height == grown.recommend_one([5], k=300).height - 3
    rows = grown.network_.rows("output")[-3:]
    assert rows.any(1).all()
    numbers = grown.vocabulary_.numbers(late["item_id"])
    facts = grown.network_.facts
    assert facts is not None
    assert (np.diff(facts.offsets)[numbers] > 0).all()


def test_facts_that_change_take_the_place_of_the_old_ones(made: Catalogue, again: GRU4Rec) -> None:
    one, other = made.items[:1], made.items[100:101]
    moved = other.with_columns(one["item_id"])
    count = len(again.vocabulary_)
    again.add_items(moved)
    assert len(again.vocabulary_) == count
    number, twin = again.vocabulary_.numbers(pl.concat([one, other])["item_id"])
    facts = again.network_.facts
    assert facts is not None
    for name in ("labels", "weights", "numbers"):
        found, expected = (getattr(facts.of(np.array([n])), name) for n in (number, twin))
        assert np.array_equal(found, expected)
    again.add_items(pl.concat([moved, one.with_columns(item_id=pl.lit(-5, pl.Int64))]))
    assert again.vocabulary_.number(-5) == count


def test_retired_items_are_gone(made: Catalogue, again: GRU4Rec, tmp_path: Path) -> None:
    best = again.recommend_one([5], k=3)["item_id"].to_list()
    before = again.recommend_one([5], k=500)
    again.retire_items(best[:2])
    after = again.recommend_one([5], k=500)
    gone = pl.col("item_id").is_in(best[:2])
    assert after.drop("rank").equals(before.filter(~gone).drop("rank"))
    assert again.describe(pl.DataFrame({"session_id": [1], "item_id": [best[0]]}))["unknown_clicks"] == 1
    again.add_items(made.items.filter(pl.col("item_id") == best[0]))
    table = again.recommend_one([5], k=500)
    assert table.filter(pl.col("item_id") == best[0])["source"].to_list() == ["facts"]
    again.save(tmp_path / "changed")
    assert GRU4Rec.load(tmp_path / "changed").recommend_one([5], k=500).equals(table)


def test_names_of_items_are_kept_through_all_that_a_catalogue_goes_through(tmp_path: Path) -> None:
    def told(*names: str | None, column: str = "title") -> pl.DataFrame:
        return pl.DataFrame(
            {"item_id": list("abcd"[: len(names)]), column: names, "size": [1.0] * len(names)}
        )

    def names(model: GRU4Rec) -> dict[int | str, str]:
        return model.vocabulary_.names_of(model.vocabulary_.ids.to_list())

    log = clicks_of("ab", "ba", "ac")
    model = GRU4Rec(layers=(4,), batch_size=2, n_sample=2, n_epochs=1).fit(log, items=told("A", None, "C"))
    assert names(model) == {"a": "A", "c": "C"}
    model.add_items(told("A", "B", None, "D"))
    assert names(model) == {"a": "A", "b": "B", "d": "D"}
    model.save(tmp_path / "model")
    model = GRU4Rec.load(tmp_path / "model").retire_items(["b"])
    model.partial_fit(clicks_of("ae", "ea"))
    assert names(model) == {"a": "A", "d": "D"}
    items = check_items(told("A", column="caption"), name="caption")
    model.fit(log, items=items).save(tmp_path / "model")
    assert names(GRU4Rec.load(tmp_path / "model").add_items(told("Z", column="caption"))) == {"a": "Z"}
    with pytest.raises(ParameterError, match="no column 'caption' of names"):
        check_items(told("A"), name="caption")


def test_items_can_be_retired_without_facts(parts: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    model = small(n_epochs=1).fit(parts[0])
    best = model.recommend_one([5], k=1)["item_id"].item()
    model.retire_items([best]).partial_fit(parts[1])
    assert best not in model.recommend_one([5], k=1)["item_id"].to_list() or best in parts[1]["item_id"]


def test_clicks_give_an_added_item_a_row_of_its_own(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame], again: GRU4Rec
) -> None:
    new = [item for item in new_in(made, parts[0]) if item in parts[1]["item_id"]]
    numbers = torch.from_numpy(again.vocabulary_.numbers(pl.Series(new)).astype(np.int64))
    again.partial_fit(parts[1].with_columns(pl.col("item_id").replace({parts[1]["item_id"][0]: 77_777})))
    assert again.network_.tables["output"][numbers].any(1).float().mean() > 0.8  # but those clicked alone
    table = again.recommend_one([5], k=500)
    assert set(table.filter(pl.col("item_id").is_in(new))["source"]) == {"model"}
    facts, number = again.network_.facts, again.vocabulary_.number(77_777)
    assert facts is not None
    assert len(facts.of(np.array([number])).labels) == 0
    assert "facts" in set(table["source"]) or not set(new_in(made, parts[0])) - set(new)


@pytest.mark.parametrize("own", [{"half_life": 500.0}, {"forget_after": 2.0}], ids=str)
def test_what_is_forgotten_is_not_what_was_just_added(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame], own: dict[str, Any]
) -> None:
    model = small(**own).fit(parts[0], items=made.items)
    model.add_items(made.items[:1].with_columns(item_id=9999))
    model.partial_fit(parts[1])
    assert model.vocabulary_.number(9999) >= 0
    assert model.recommend_one([5], k=500).filter(pl.col("item_id") == 9999).height == 1
    later = parts[1].with_columns(pl.col("time") + timedelta(days=3), pl.col("session_id") + 10**6)
    model.partial_fit(later)
    assert (model.vocabulary_.number(9999) >= 0) == ("half_life" in own)


def test_a_fit_that_was_cut_off_goes_on_to_the_same_bits(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    train = parts[0]
    calm = small(n_epochs=3).fit(train, items=made.items)

    class CutOff(Exception):  # noqa: N818 - no error
        pass

    def stop(report: EpochReport) -> None:
        if report.epoch == 2:
            raise CutOff

    kept = {"checkpoint_dir": tmp_path, "checkpoint_every": 20}
    with pytest.raises(CutOff):
        small(n_epochs=3).fit(train, items=made.items, on_epoch=stop, **kept)  # type: ignore[arg-type]
    resumed = small(n_epochs=3).fit(train, items=made.items, **kept)  # type: ignore[arg-type]
    for (name, found), (_, expected) in zip(
        resumed.network_.parameters(), calm.network_.parameters(), strict=True
    ):
        assert torch.equal(found, expected), name
    other = made.items.with_columns(pl.col("category").shuffle(seed=1))
    with pytest.raises(CheckpointError, match="belongs to a run with other data"):
        small(n_epochs=3).fit(train, items=other, checkpoint_dir=tmp_path)


def test_validation_measures_what_is_served(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    model = small(patience=3).fit(parts[0], parts[1], items=made.items)
    report: Report = evaluate(model, parts[1], cutoffs=(20,), unknown="miss")
    best = max(model.history_, key=lambda epoch: epoch.metrics["mrr_at_20"])
    assert best.metrics["mrr_at_20"] == report.mrr[20]


def test_models_of_clicks_alone_refuse_facts(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    for model in (Markov(), Blend([small(), Popularity()])):
        with pytest.raises(ParameterError, match="learns from clicks alone: give the facts"):
            model.fit(parts[0], items=made.items)


def test_a_blend_of_fitted_models_takes_one_that_knows_facts(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    train, test = parts
    clicked = made.items.filter(pl.col("item_id").is_in(train["item_id"].unique().implode()))
    blend = Blend.of([small().fit(train, items=clicked), Markov().fit(train)], test)
    table = blend.recommend(test.head(50), k=5)
    blend.save(tmp_path / "blend")
    assert load(tmp_path / "blend").recommend(test.head(50), k=5).equals(table)


def test_wrong_calls_are_refused_in_words(
    made: Catalogue, parts: tuple[pl.DataFrame, pl.DataFrame], again: GRU4Rec
) -> None:
    with pytest.raises(NotFittedError):
        small().add_items(made.items)
    with pytest.raises(ParameterError, match="needs a model fitted with facts"):
        small(n_epochs=1).fit(parts[0]).add_items(made.items)
    count = len(again.vocabulary_)
    with pytest.raises((SchemaError, InputError)):
        again.add_items(made.items.drop("price"))
    with pytest.raises(InputError, match=r"expected items of the catalogue, got \[123456\]"):
        again.retire_items([5, 123456])
    with pytest.raises(InputError, match="expected two items or more to be left, got 1"):
        again.retire_items(again.vocabulary_.ids[1:].to_list())
    assert len(again.vocabulary_) == count


def test_a_saved_model_with_a_part_of_its_facts_is_refused(model: GRU4Rec) -> None:
    state = model._state()
    with pytest.raises(InputError, match=r"missing: \['items/weights'\]"):
        encoding_in({name: values for name, values in state.items() if name != "items/weights"})
    assert encoding_in({"weights/output": state["weights/output"]}) is None


def test_the_service_marks_what_facts_alone_recommend(model: GRU4Rec) -> None:
    numbers = np.flatnonzero(model.vocabulary_.support == 0)[:1].astype(np.int32)
    assert Served(model, "1").unclicked(np.array([0, numbers[0], 1], np.int32)) == [1]


def test_facts_are_taken_and_joined_item_by_item() -> None:
    labels, weights = np.array([4, 5, 6], np.int32), np.ones(3, np.float32)
    facts = Facts(np.array([0, 2, 3]), labels, weights, np.eye(2, dtype=np.float32))
    found = facts.replaced(np.array([True, False]), Facts.nothing(2, 2))
    assert found.labels.tolist() == [6]
    assert found.offsets.tolist() == [0, 0, 1]
    assert found.numbers.tolist() == [[0, 0], [0, 1]]
