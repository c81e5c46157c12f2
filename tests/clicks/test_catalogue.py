"""The generated catalogue follows the law that it says it follows, and the law knows the best there is."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.clicks import FactsLaw
from recsys_gru.errors import ParameterError

DAY = timedelta(days=1)


def steps_of(clicks: pl.DataFrame) -> pl.DataFrame:
    """Each click from the second of its session on, with the one before."""
    before = pl.col("item_id", "time").shift().over("session_id").name.prefix("before_")
    return clicks.sort("session_id", "time").with_columns(before).drop_nulls()


def test_equal_seeds_give_equal_logs_and_other_seeds_others() -> None:
    one, again, other = (rg.generate_catalogue(300, 200, days=3, seed=seed) for seed in (1, 1, 2))
    assert one.clicks.equals(again.clicks)
    assert one.items.equals(again.items)
    assert not one.clicks.equals(other.clicks)


def test_no_item_is_clicked_before_the_day_it_is_added_and_new_ones_come_every_day() -> None:
    made = rg.generate_catalogue(5_000, 400, days=5, seed=3, new_share=0.1)
    assert np.bincount(made.law.added).tolist() == [240, 40, 40, 40, 40]
    day = made.clicks["time"].dt.truncate("1d").rank("dense").to_numpy() - 1
    assert (made.law.added[made.clicks["item_id"].to_numpy()] <= day).all()
    assert (made.clicks["item_id"].n_unique(), made.clicks["session_id"].n_unique()) == (400, 5_000)
    assert np.bincount(made.law.kind).tolist() == [5] * 80


def test_next_clicks_follow_the_law_and_the_facts_say_so() -> None:
    made = rg.generate_catalogue(20_000, 300, days=3, seed=4)
    steps, law = steps_of(made.clicks), made.law
    before, after = steps["before_item_id"].to_numpy(), steps["item_id"].to_numpy()
    n = len(before)
    likeliest = law.categories[law.category[before]].argmax(axis=1) == law.category[after]
    same_band = law.band[before] == law.band[after]
    expected = {0.8 * 0.6 + 0.2 / 20: likeliest, 0.8 * 0.75 + 0.2 / 4: same_band}
    expected[0.8 * 0.6 * 0.75 + 0.2 / 80] = likeliest & same_band
    for share, seen in expected.items():
        assert abs(seen.mean() - share) < 4 * np.sqrt(share * (1 - share) / n) + 0.01
    named = made.items["category"].str.extract(r"(\d+)").cast(pl.Int64)
    assert named.to_list() == law.category.tolist()
    bands = np.floor(np.log2(made.items["price"].to_numpy() / 10 + 1e-9))
    assert (bands != law.band).mean() < 0.01  # prices are rounded


def test_the_best_recall_is_what_knowing_the_law_gives() -> None:
    made = rg.generate_catalogue(6_000, 300, days=4, seed=5)
    split = rg.split_by_time(made.clicks, test=DAY)
    test, train = (part.lazy().collect() for part in (split.test, split.train))
    new = made.items["item_id"].filter(~made.items["item_id"].is_in(train["item_id"].implode()))
    assert len(new) == 15
    rng, hits = np.random.default_rng(0), []
    for row in steps_of(test).filter(pl.col("item_id").is_in(new.implode())).iter_rows(named=True):
        chances = made.law.next_probabilities(row["before_item_id"], 3) * (1 + 1e-6 * rng.random(300))
        hits.append(row["item_id"] in np.argsort(-chances)[:20])
    best = made.law.best_recall(test, new, day=3)
    assert abs(np.mean(hits) - best) < 4 * np.sqrt(0.25 / len(hits))
    assert 0.4 < best < 0.9


def test_the_best_recall_of_a_law_without_chance_is_known() -> None:
    one_to_one = np.roll(np.eye(3), 1, axis=1)
    law = FactsLaw(
        np.array([0, 1, 2, 0, 1, 2]), np.zeros(6, int), np.zeros(6, int), one_to_one, np.eye(1), 1.0
    )
    clicks = pl.DataFrame({"session_id": [1, 1, 1], "item_id": [0, 4, 2], "time": [1, 2, 3]})
    items = pl.Series([0, 1, 2, 3, 4, 5])
    assert law.best_recall(clicks, items, k=1, day=0) == 0.5
    assert law.best_recall(clicks, items, k=2, day=0) == 1.0
    assert law.best_recall(clicks, pl.Series([5]), day=0) == 0.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_items": 50}, "20 x 4 kinds on the first day; there are 32"),
        ({"new_share": -0.1}, "kinds on the first day"),
        ({"days": 0}, "expected days"),
        ({"bands": 0}, "expected bands"),
    ],
)
def test_impossible_arguments_are_refused_in_words(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        rg.generate_catalogue(**arguments)  # type: ignore[arg-type]
