"""What a model is asked: ids as they are at hand, rows in order without times, what is like an item."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import recsys_gru as rg
from recsys_gru.contract import Recommender
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import BundleError, InputError, ParameterError
from recsys_gru.ranking import ItemFilter
from tests.contract.suite import FACTORIES, log

DIGITS = log().with_columns(pl.col("item_id").cast(pl.String))
CODES = DIGITS.with_columns(item_id="sku-" + pl.col("item_id"))


@pytest.mark.parametrize(
    "ids",
    [["100", "101"], [" 100", "101.0"], np.array([100, 101], np.int8), np.array([100.0, 101.0]), (100, "101"),
     pl.Series([100, 101]), pl.Series(["100", "101"]), [Decimal(100), np.uint64(101)], iter([100, 101])],
)  # fmt: skip
def test_ids_that_say_the_same_are_the_same(ids: Iterable[int | str]) -> None:
    model = rg.Markov().fit(log())
    assert_frame_equal(model.recommend_one(ids), model.recommend_one([100, 101]))


@pytest.mark.parametrize("one", ["abc", "012", "1e2", "", 100.5, float("nan"), None, True, b"100", [100], {}])
def test_ids_that_no_whole_number_can_be_are_refused(one: object) -> None:
    model = rg.Markov().fit(log())
    asked: list[int | str] = [100, one]  # type: ignore[list-item]
    for use in (
        lambda: model.recommend_one(asked),
        lambda: model.recommend_one([100], deny=asked),
        lambda: model.recommend_one([100], allow=asked),
        lambda: model.recommend(log(3), deny=asked),
        lambda: rg.evaluate(model, log(9), items=ItemFilter(allow=asked)),
        lambda: model.similar_items(one),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="expected"):
            use()


def test_numbers_stand_for_texts_where_the_catalogue_has_numbers_as_texts() -> None:
    digits, codes = rg.Markov().fit(DIGITS), rg.Markov().fit(CODES)
    assert_frame_equal(digits.recommend_one(np.array([100, 101])), digits.recommend_one(["100", "101"]))
    assert digits.recommend_one(["100"], deny=[101])["item_id"].to_list().count("101") == 0
    assert digits.recommend_one([7])["source"][0] == "popularity"  # a new item, as "7" would be
    for ids in ([100], [100.0], [True], [None]):
        with pytest.raises(ParameterError, match="expected items as texts"):
            codes.recommend_one(ids)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="expected allow as texts"):
        codes.recommend_one(["sku-100"], allow=[100])


@pytest.mark.parametrize("far", [2**63, -(2**70), 10**30, str(2**63)])
def test_numbers_beyond_every_id_are_unknown_items(far: int | str) -> None:
    model = rg.Markov().fit(log())
    assert_frame_equal(model.recommend_one([100], deny=[far]), model.recommend_one([100]))
    assert model.recommend_one([far])["source"][0] == "popularity"
    assert_frame_equal(model.recommend(log(3), deny=[far, 103]), model.recommend(log(3), deny=[103]))


@pytest.mark.parametrize("far", [2**63 - 1, -(2**63)])
def test_the_largest_ids_are_ids(far: int) -> None:
    rows = clicks_of("ab", "ab").with_columns(item_id=pl.lit(far, pl.Int64), session_id=pl.lit(far, pl.Int64))
    other = clicks_of("ab").with_columns(item_id=pl.lit(5, pl.Int64))
    model = rg.Markov().fit(pl.concat([rows, other]))
    assert model.recommend_one([5], k=1)["item_id"].to_list() == [far]


def test_rows_that_are_in_order_need_no_time(tmp_path: Path) -> None:
    model, asked = rg.Markov().fit(log()), log(8, seed=4)
    timeless = asked.drop("time")
    expected = model.recommend(asked, k=3)
    timeless.write_csv(tmp_path / "asked.csv")
    timeless.write_parquet(tmp_path / "asked.parquet")
    for given in (
        timeless,
        timeless.lazy(),
        timeless.to_pandas(),
        tmp_path / "asked.csv",
        tmp_path / "asked.parquet",
    ):
        assert_frame_equal(model.recommend(given, k=3), expected)
        assert model.describe(given) == model.describe(asked)
    mixed = pl.DataFrame({"session_id": ["b", "a", "b"], "item_id": [100, 105, 101]})
    table = model.recommend(mixed, k=1)
    assert table["session_id"].to_list() == ["b", "a"]  # by their first row
    assert table["item_id"][0] == model.recommend_one([100, 101], k=1)["item_id"][0]


def test_a_filter_that_looks_at_times_needs_a_moment_where_there_are_none() -> None:
    sold = pl.DataFrame({"item_id": [101], "since": [None], "until": [None]})
    with pytest.raises(ParameterError, match="no times: give the moment"):
        rg.Markov().fit(log()).recommend(log(3).drop("time"), allow=ItemFilter(availability=sold))


def test_what_is_like_an_item() -> None:
    model = rg.Markov().fit(clicks_of("abc", "abd", "aa"))
    table = model.similar_items("b", 5)
    assert table.columns == ["rank", "item_id", "score"]
    assert (table["rank"].to_list(), sorted(table["item_id"]), table["score"].to_list()) == (
        [1, 2],
        ["c", "d"],
        [1, 1],
    )
    assert "a" not in model.similar_items("a")["item_id"].to_list()  # never the item itself
    assert model.similar_items("c").height == 0
    network = rg.GRU4Rec(layers=8, n_epochs=1, n_sample=8, batch_size=8, device="cpu").fit(log())
    rows = network.network_.tables["output"].numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    number = network.vocabulary_.number(100)
    nearest = np.argsort(-(rows @ rows[number]), kind="stable")
    table = network.similar_items("100", np.int8(3))  # type: ignore[arg-type]
    assert table["item_id"].to_list() == network.vocabulary_.take(nearest[nearest != number][:3]).to_list()
    assert table["score"].is_between(-1, 1).all()
    assert network.similar_items(100, 500).height == 11


def test_what_is_like_an_item_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="does not know"):
        rg.Markov().fit(log()).similar_items(7)
    for kind in (rg.Popularity, rg.VSKNN):
        with pytest.raises(InputError, match="compares no items"):
            kind().fit(log()).similar_items(100)


class OfMyOwn(Recommender):
    """A recommender from elsewhere, but with the behaviour of one of ours."""

    blocks, _fit, _state, _restore, _layout = (
        getattr(rg.Popularity, name) for name in ("blocks", "_fit", "_state", "_restore", "_layout")
    )


@pytest.mark.parametrize("name", FACTORIES)
def test_any_saved_model_is_loaded_as_what_it_is(name: str, tmp_path: Path) -> None:
    model = FACTORIES[name]().fit(log())
    model.save(tmp_path / "model")
    loaded = rg.load(str(tmp_path / "model"))
    assert type(loaded) is type(model)
    assert_frame_equal(loaded.recommend(log(5)), model.recommend(log(5)))


def test_a_class_of_ones_own_is_found_once_it_is_imported(tmp_path: Path) -> None:
    OfMyOwn().fit(log()).save(tmp_path / "own")
    assert type(rg.load(tmp_path / "own")) is OfMyOwn


def test_an_unknown_class_is_refused_by_name(tmp_path: Path) -> None:
    gone = type("Gone", (OfMyOwn,), {})
    gone().fit(log()).save(tmp_path / "gone")
    gone.__name__ = "Elsewhere"
    with pytest.raises(BundleError, match="no recommender 'Gone'"):
        rg.load(tmp_path / "gone")


def test_a_set_says_no_order_of_clicks_but_names_items() -> None:
    model = rg.Markov().fit(log())
    for items in ({100, 101}, frozenset({100, 101}), {100: 1}.keys()):
        with pytest.raises(ParameterError, match="a set, which has none: put them in a list, oldest first"):
            model.recommend_one(items)
        assert model.recommend_one([100], allow=items)["item_id"].to_list() in ([], [101])


def test_blanks_around_asked_texts_are_no_part_of_them() -> None:
    model = rg.Markov().fit(CODES)
    assert_frame_equal(
        model.recommend_one([" sku-100", "sku-101\t"]), model.recommend_one(["sku-100", "sku-101"])
    )
