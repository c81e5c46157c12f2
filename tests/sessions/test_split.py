"""Splits in time and the fixed point of the filters, against slow twins written from the rules."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.clicks import Ledger, collapse_repeats, read_clicks, sessionize
from recsys_gru.errors import ClickLogError, ParameterError, SchemaError
from recsys_gru.sessions import filter_sessions, split_at, split_by_time, tail_cut
from tests.oracles import filtered_rows, sessions_by_gap, split_rows

Row = tuple[int, int, int]
ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 60)), min_size=1, max_size=40)


def log_of(rows: list[Row]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows, schema=dict.fromkeys(("session_id", "item_id", "time"), pl.Int64), orient="row"
    )
    return read_clicks(frame, time_unit="s").collect()


def rows_of(frame: pl.LazyFrame | pl.DataFrame) -> list[Row]:
    return sorted(frame.lazy().with_columns(pl.col("time").dt.epoch("s")).collect().rows())


@given(ROWS, st.integers(1, 70))
def test_a_split_keeps_each_event_once_or_counts_it(rows: list[Row], seconds: int) -> None:
    ledger = Ledger()
    split = split_by_time(log_of(rows), timedelta(seconds=seconds), ledger)
    train, test = split
    expected = split_rows(rows, seconds)
    assert (rows_of(train), rows_of(test)) == (expected.train, expected.test)
    assert split.straddling_events == expected.lost == len(rows) - len(expected.train) - len(expected.test)
    assert ledger.removed("after the cut, session began before") == expected.lost


def test_a_split_is_of_the_kind_of_frame_that_came() -> None:
    log = log_of([(1, 1, 0), (2, 1, 10)])
    assert isinstance(split_by_time(log, timedelta(seconds=5)).train, pl.DataFrame)
    assert isinstance(split_by_time(log.lazy(), timedelta(seconds=5)).train, pl.LazyFrame)


def test_a_moment_without_a_zone_is_utc() -> None:
    log = log_of([(1, 1, 0), (2, 1, 10)])
    assert split_at(log, datetime(1970, 1, 1, 0, 0, 5)).cut == datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)


@given(ROWS, st.integers(1, 4), st.integers(1, 4))
def test_filters_reach_the_fixed_point_and_the_ledger_adds_up(
    rows: list[Row], support: int, length: int
) -> None:
    ledger = Ledger()
    kept = filter_sessions(log_of(rows), support, length, ledger)
    assert rows_of(kept) == filtered_rows(rows, support, length)
    assert rows_of(filter_sessions(kept, support, length)) == rows_of(kept)
    table = ledger.table()
    assert len(rows) - table["rows_removed"].sum() == len(rows_of(kept))
    assert table["rows_after"].to_list()[:-1] == table["rows_before"].to_list()[1:]


@given(ROWS, st.integers(1, 20))
def test_sessions_end_with_the_user_or_after_more_silence_than_the_gap(rows: list[Row], gap: int) -> None:
    log = log_of(rows).rename({"session_id": "user_id"})
    events = sessionize(log, gap=timedelta(seconds=gap)).collect()
    found = (
        events.with_columns(pl.col("time").dt.epoch("s"))
        .select("session_id", "user_id", "item_id", "time")
        .rows()
    )
    assert found == sessions_by_gap(rows, gap)


def test_repeats_are_collapsed_within_a_session_only() -> None:
    log = log_of([(1, 7, 1), (1, 7, 2), (1, 8, 3), (1, 7, 4), (2, 7, 5)])
    assert rows_of(collapse_repeats(log)) == [(1, 7, 1), (1, 7, 4), (1, 8, 3), (2, 7, 5)]


def test_the_demo_tail_is_the_fewest_whole_days_with_enough_sessions() -> None:
    day = 86_400
    log = log_of([(n, 1, n * day // 10 + 5) for n in range(100)])
    assert tail_cut(log, 0.05) == datetime(1970, 1, 10, tzinfo=UTC)
    assert tail_cut(log, 0.11) == datetime(1970, 1, 9, tzinfo=UTC)


def test_the_tail_of_a_log_of_one_day_is_cut_within_the_day() -> None:
    log = log_of([(n, 1, 60 * n) for n in range(100)])
    split = split_at(log, tail_cut(log, 0.05))
    assert (len(rows_of(split.train)), len(rows_of(split.test))) == (95, 5)


def test_an_empty_log_and_impossible_settings_are_clear_errors() -> None:
    log = log_of([(1, 1, 1)])
    with pytest.raises(ClickLogError, match="empty"):
        split_by_time(log.clear(), timedelta(days=1))
    with pytest.raises(ParameterError, match="test as a timedelta longer than nothing"):
        split_by_time(log, timedelta(0))
    with pytest.raises(ParameterError, match=r"min_support as a whole number of at least 1 .*got 0"):
        filter_sessions(log, min_support=0)
    with pytest.raises(ParameterError, match="gap"):
        sessionize(log.rename({"session_id": "user_id"}), gap=timedelta(0))
    with pytest.raises(ParameterError, match="share"):
        tail_cut(log, 1.5)
    with pytest.raises(SchemaError, match="time missing"):
        split_by_time(log.drop("time"), timedelta(days=1))


def test_the_ledger_prints_and_is_written(tmp_path: Path) -> None:
    ledger = Ledger()
    filter_sessions(log_of([(1, 1, 1), (1, 2, 2), (2, 1, 3)]), 2, 2, ledger)
    assert "session too short" in str(ledger)
    for name in ("ledger.csv", "ledger.parquet"):
        ledger.write(f"{tmp_path}/{name}")
    assert (
        pl.read_csv(f"{tmp_path}/ledger.csv").rows() == pl.read_parquet(f"{tmp_path}/ledger.parquet").rows()
    )
