"""Clicks of equal time: the order of the rows is kept where the log has one, and none is invented."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.clicks import check_clicks, read_clicks
from recsys_gru.preparation import ClickStore, prepare
from recsys_gru.sessions import Sessions, as_sessions, filter_sessions, split_by_time

CHANCE = 5 / 50


def random_sessions(n: int = 1_500) -> pl.DataFrame:
    """Sessions of eight random items of fifty, whose clicks all have the time of their day."""
    rng = np.random.default_rng(0)
    rows = [
        (s, int(i), 1_767_225_600 + s * 14 // n * 86_400)
        for s in range(n)
        for i in rng.choice(50, 8, replace=False)
    ]
    return pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")


ORDERS = {
    "as made": lambda log: log,
    "by item": lambda log: log.sort("item_id"),
    "by item, falling": lambda log: log.sort("item_id", descending=True),
    "by session and item": lambda log: log.sort("session_id", "item_id"),
    "shuffled": lambda log: log.sample(fraction=1, shuffle=True, seed=1),
}


def recall(train: object, test: object) -> float:
    return float(rg.evaluate(rg.Markov().fit(train), test).recall[5])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("text", [False, True])
def test_random_sessions_of_one_time_cannot_be_foretold(name: str, text: bool, tmp_path: Path) -> None:
    log = ORDERS[name](random_sessions())
    if text:
        log = log.with_columns(pl.col("item_id").cast(pl.String).str.zfill(3))
    day = timedelta(days=1)
    split = split_by_time(check_clicks(log).clicks.collect(), test=day)
    assert recall(*split) < 1.6 * CHANCE
    prepared = prepare(log, tmp_path / "log", rg.Recipe(test=day))
    assert recall(prepared.train, prepared.test) < 1.6 * CHANCE
    store = ClickStore(tmp_path / "store")
    for _, part in log.group_by("time", maintain_order=True):
        store.add(part)
    assert recall(*split_by_time(store.events().collect(), test=day)) < 1.6 * CHANCE
    assert recall(log, log) < 1.6 * CHANCE + 0.1  # as_sessions alone; learned from the same


def test_ties_keep_the_order_of_the_rows_on_every_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    items = rng.integers(0, 20, 600)
    times = 1_600_000_000 + np.repeat(np.arange(60), 10) * 30
    log = pl.DataFrame({"session_id": rng.integers(0, 20, 600), "item_id": items, "time": times})
    log = log.unique(maintain_order=True)
    expected = {
        s: rows["item_id"].to_list() for (s,), rows in log.group_by("session_id", maintain_order=True)
    }
    log.write_csv(tmp_path / "a.csv")
    ways = {
        "checked": check_clicks(log).clicks.collect(),
        "packed": Sessions.from_events(read_clicks(log)).events(),
        "file": as_sessions(tmp_path / "a.csv").events(),
        "filtered": filter_sessions(read_clicks(log).collect(), 1, 1).lazy().collect(),
        "split": split_by_time(read_clicks(log).collect(), timedelta(seconds=1)).train.lazy().collect(),
        "sessionized": rg.sessionize(
            read_clicks(log.rename({"session_id": "user_id"}), user="user_id"), gap=timedelta(days=1)
        ).collect(),
    }
    for size in (7, 50, 10_000):
        recipe = rg.Recipe(min_support=1, min_length=1, test=timedelta(seconds=1))
        ways[f"prepared {size}"] = prepare(
            log, tmp_path / str(size), recipe, rows_per_bucket=size
        ).train.events()
    for name, events in ways.items():
        kept = events.filter(pl.col("time") < pl.col("time").max())
        found = {
            s: rows["item_id"].to_list() for (s,), rows in kept.group_by("session_id", maintain_order=True)
        }
        for session, clicked in found.items():
            assert clicked == expected[session][: len(clicked)], name


def test_files_follow_each_other_in_a_list(tmp_path: Path) -> None:
    log = pl.DataFrame({"session_id": [1] * 4, "item_id": [9, 3, 7, 1], "time": [5] * 4})
    log.head(2).write_csv(tmp_path / "a.csv")
    log.tail(2).write_csv(tmp_path / "b.csv")
    assert as_sessions(tmp_path).events()["item_id"].to_list() == [9, 3, 7, 1]


def test_an_order_column_is_followed_on_every_way(tmp_path: Path) -> None:
    log = pl.DataFrame(
        {
            "session_id": [1] * 12,
            "item_id": range(12),
            "time": [5] * 12,
            "seq": [str(11 - k) for k in range(12)],
        }
    )
    falling = list(range(11, -1, -1))
    raw = read_clicks(log.with_columns(pl.col("seq").cast(pl.Int64)), order="seq")
    assert "click_order" in raw.collect_schema().names()
    log.write_csv(tmp_path / "log.csv")
    assert read_clicks(tmp_path / "log.csv", order="seq").collect()["click_order"].to_list() == falling
    ways = {
        "checked": check_clicks(raw).clicks.collect(),
        "packed": Sessions.from_events(raw).events(),
        "fitted on": as_sessions(raw.collect()).events(),
        "checked, packed": as_sessions(check_clicks(raw).clicks.collect()).events(),
        "filtered": filter_sessions(raw, 1, 1).lazy().collect(),
    }
    store = ClickStore(tmp_path / "store")
    for part in (raw.collect().tail(5), raw.collect().head(9), raw.collect().tail(5)):
        store.add(part)
    ways["store"] = store.events().collect()
    later = pl.DataFrame({"session_id": [2], "item_id": [3], "time": [9_000], "seq": [1]})
    recipe = rg.Recipe(min_support=1, min_length=1, test=timedelta(seconds=60))
    both = read_clicks(pl.concat([log.with_columns(pl.col("seq").cast(pl.Int64)), later]), order="seq")
    ways["prepared"] = prepare(both, tmp_path / "out", recipe, rows_per_bucket=5).train.events()
    for name, events in ways.items():
        assert events["item_id"].to_list() == falling, name


def test_the_share_of_tied_neighbours_is_told(tmp_path: Path) -> None:
    log = pl.DataFrame(
        {"session_id": [1, 1, 1, 2, 2, 3], "item_id": [1, 2, 3, 4, 5, 6], "time": [5, 5, 6, 7, 7, 7]}
    )
    assert as_sessions(log).tied_share == 2 / 3
    assert as_sessions(log.head(0)).tied_share == 0.0
    assert "67% of the neighbouring clicks" in check_clicks(log).warnings[0]
    found = rg.describe(log, tmp_path)
    assert found.tied_share == 2 / 3
    assert "have the same time" in (tmp_path / "log.html").read_text()
    events = read_clicks(log).collect()
    assert rg.diagnose_split(events, events).tied_share == 2 / 3


def test_duplicates_that_lie_apart_within_one_time_are_found() -> None:
    log = pl.DataFrame({"session_id": [1] * 5, "item_id": [3, 1, 3, 2, 1], "time": [5] * 5})
    checked = check_clicks(log)
    assert checked.clicks.collect()["item_id"].to_list() == [3, 1, 2]
    assert checked.counts["duplicate"] == 2
