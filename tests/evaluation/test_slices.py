"""Slices against plain filters of the ledger."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from recsys_gru.errors import SchemaError
from recsys_gru.evaluation import first_seen, intervals, metrics_from_ranks, slices
from tests.evaluation.ledgers import random_ledger

RANKS = random_ledger(400, seed=4)


def part(table: pl.DataFrame, name: str, label: str) -> dict[str, float]:
    return table.filter(slice=name, part=label).row(0, named=True)


@pytest.mark.parametrize(
    ("name", "label", "rows"),
    [
        ("position", "1", pl.col("position") == 1),
        ("position", "5-9", pl.col("position").is_between(5, 9)),
        ("session length", "3", pl.len().over("session_id") == 2),
        ("session length", "6-9", pl.len().over("session_id").is_between(5, 8)),
        ("clicks on the target", "20-99", pl.col("support").is_between(20, 99)),
        ("clicks on the target", "100+", pl.col("support") >= 100),
        ("hour (UTC)", "07", pl.col("hour") == 7),
        ("weekday", "Sunday", pl.col("time").dt.weekday() == 7),
        ("repeat", "clicked before", pl.col("repeat")),
        ("repeat", "first click", ~pl.col("repeat")),
    ],
)
def test_a_part_holds_the_metrics_of_its_rows_alone(name: str, label: str, rows: pl.Expr) -> None:
    chosen = RANKS.filter(rows)
    found = part(slices(RANKS, 20), name, label)
    expected = metrics_from_ranks(chosen, ["recall", "mrr"], [20])
    assert found["events"] == chosen.height
    assert found["sessions"] == chosen["session_id"].n_unique()
    assert found["recall"] == pytest.approx(expected["recall_at_20"])
    assert found["mrr"] == pytest.approx(expected["mrr_at_20"])


def test_every_event_is_in_one_part_of_each_slice_in_natural_order() -> None:
    table = slices(RANKS)
    assert set(table.group_by("slice").agg(pl.col("events").sum())["events"]) == {RANKS.height}
    lengths = table.filter(slice="session length")["part"].to_list()
    assert lengths == ["2", "3", "4-5", "6-9"]


def test_intervals_agree_with_the_bootstrap() -> None:
    chosen = RANKS.filter("repeat")
    found = part(slices(RANKS), "repeat", "clicked before")
    boot = intervals(chosen, ["recall"], [20]).row(0, named=True)
    assert found["recall_low"] == pytest.approx(boot["low"], abs=0.02)
    assert found["recall_high"] == pytest.approx(boot["high"], abs=0.02)


def test_a_part_of_few_sessions_has_no_interval() -> None:
    found = slices(RANKS.filter(pl.col("session_id") < 9))
    assert found["recall_low"].is_null().all()
    assert found["mrr_high"].is_null().all()


def test_items_are_told_apart_by_the_days_since_their_first_training_event() -> None:
    days = [28.5 if item < 10 else 27.9 if item < 20 else 22 if item < 30 else -10 for item in range(39)]
    start = datetime(2026, 2, 1, tzinfo=UTC)
    train = pl.DataFrame({"item_id": range(39), "time": [start + timedelta(days=one) for one in days]})
    one_day = RANKS.with_columns(time=pl.lit(start + timedelta(days=29)))
    found = slices(one_day, first_seen=first_seen(train))
    for label, items in (
        ("less than a day", range(10)),
        ("1-6 days", range(10, 20)),
        ("7-29 days", range(20, 30)),
        ("30 days or more", range(30, 39)),
        ("never seen", range(39, 40)),
    ):
        expected = RANKS.filter(pl.col("item_id").is_in(items)).height
        assert part(found, "age of the target", label)["events"] == expected
    with pytest.raises(SchemaError, match="first_seen"):
        slices(RANKS, first_seen=train)


def test_items_that_training_has_no_click_on_are_a_part_of_their_own() -> None:
    some = RANKS.with_columns(support=pl.when(pl.col("item_id") < 5).then(0).otherwise("support"))
    chosen = some.filter(support=0)
    found = part(slices(some), "clicks on the target", "never")
    assert found["events"] == chosen.height
    assert found["recall"] == pytest.approx(metrics_from_ranks(chosen, ["recall"], [20])["recall_at_20"])


def test_unknown_items_are_a_part_of_their_own() -> None:
    lost = RANKS.with_columns(position=pl.when(pl.col("item_id") < 5).then(None).otherwise("position"))
    assert part(slices(lost), "position", "unknown item")["events"] == (RANKS["item_id"] < 5).sum()
