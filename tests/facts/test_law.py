"""Where the law lies in facts, a network with facts finds it on items that nobody has clicked."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

import recsys_gru as rg

SETTINGS: dict[str, Any] = {**rg.RECOMMENDED, "layers": (64,), "n_epochs": 4, "device": "cpu", "seed": 1}
NEVER = "clicks on never-seen items"


@pytest.mark.slow
def test_facts_reach_eighty_percent_of_what_the_law_allows_and_shuffled_ones_nothing() -> None:
    made = rg.generate_catalogue(n_sessions=8_000, n_items=400, days=5, seed=7)
    train, test = (part.lazy().collect() for part in rg.split_by_time(made.clicks, test=timedelta(days=1)))
    new = made.items["item_id"].filter(~made.items["item_id"].is_in(train["item_id"].implode()))
    best = made.law.best_recall(test, new, day=4)
    found, everything = {}, {}
    for way, items in (("facts", made.items), ("shuffled", rg.shuffle_facts(made.items, seed=2))):
        model = rg.GRU4Rec(**SETTINGS).fit(train, items=items)
        report = rg.evaluate(model, test, (20,), unknown="miss")
        view = report.views().filter(view=NEVER).row(0, named=True)
        assert view["events"] == report.replay.filter(pl.col("item_id").is_in(new.implode())).height > 200
        found[way], everything[way] = view["recall"], report.recall[20]
    assert found["facts"] >= 0.8 * best
    assert found["shuffled"] <= 0.2 * best
    assert everything["facts"] > everything["shuffled"]
