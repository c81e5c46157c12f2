"""Times on their way in: read as they are, or set aside with a reason."""

import datetime as dt
import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys_gru.clicks import check_clicks, generate_clicks, read_clicks, sessionize
from recsys_gru.errors import ParameterError
from recsys_gru.preparation import prepare

UTC = dt.UTC


def log_of(times: Any) -> pl.DataFrame:  # noqa: ANN401 - a column of any type
    column = times if isinstance(times, pl.Series) else pl.Series(times)
    return pl.DataFrame({"session_id": [1] * len(column), "item_id": range(len(column)), "time": column})


def test_float32_times_are_read_exactly_and_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    times = 1_600_000_000 + 128 * np.arange(200)
    read = read_clicks(log_of(pl.Series(times, dtype=pl.Float32))).collect()
    assert read["time"].dt.epoch("s").to_list() == times.tolist()
    assert "closer than 128 s" in caplog.text
    caplog.clear()
    read_clicks(log_of(pl.Series([1, 2], dtype=pl.Float32)))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "wrong",
    [
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:17",
        "1970-01-20T12:00:00",
        "2038-01-19T03:14:07",
        "1900-01-01T00:00:00",
        "2999-12-31T00:00:00",
    ],
)
@pytest.mark.parametrize("days", [10, 2_400])
def test_times_of_clocks_that_were_not_set_are_set_aside(wrong: str, days: int) -> None:
    log = generate_clicks(n_sessions=1_000, n_items=100, days=days, seed=2)
    bad = pl.Series(np.random.default_rng(1).random(log.height) < 0.03)
    moment = pl.lit(dt.datetime.fromisoformat(wrong)).dt.replace_time_zone("UTC")
    checked = check_clicks(log.with_columns(time=pl.when(bad).then(moment).otherwise("time")))
    assert checked.counts["time of an unset clock"] == checked.counts["rejected"] == bad.sum()


def test_unset_clocks_are_found_bucket_by_bucket(tmp_path: Path) -> None:
    log = generate_clicks(n_sessions=400, n_items=40, days=5, seed=2)
    zero = pl.int_range(pl.len()) % 20 == 0
    bad = log.with_columns(
        time=pl.when(zero).then(pl.lit(0).cast(pl.Datetime("us", "UTC"))).otherwise("time")
    )
    prepared = prepare(bad, tmp_path / "log", rows_per_bucket=200)
    assert prepared.ledger.removed("time of an unset clock") == len(range(0, log.height, 20))


def test_ordinal_and_sparse_and_day_long_times_are_left_alone() -> None:
    day = 86_400
    daily = [1_600_000_000 + day * (k // 9) for k in range(90)]
    sparse = [1_600_000_000 + 700 * day * k for k in range(12)]
    for times in (range(0, 500_000, 1_000), [0] * 50 + [1] * 50, daily, sparse):
        assert check_clicks(log_of(list(times))).counts["rejected"] == 0


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (20260301, dt.datetime(2026, 3, 1, tzinfo=UTC)),
        (202603011230, dt.datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        (20260301123059, dt.datetime(2026, 3, 1, 12, 30, 59, tzinfo=UTC)),
    ],
)
def test_dates_written_as_numbers_are_dates(
    written: int, expected: dt.datetime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "recsys_gru"):
        for column in (pl.Series([written]), pl.Series([str(written)]), pl.Series([float(written)])):
            assert read_clicks(log_of(column)).collect()["time"].to_list() == [expected]
    assert "dates such as 20260301" in caplog.text
    log_of([written]).write_csv(tmp_path / "log.csv")
    assert read_clicks(tmp_path / "log.csv").collect()["time"].to_list() == [expected]
    berlin = read_clicks(log_of([written]), time_zone="Europe/Berlin").collect()["time"][0]
    assert berlin == expected - dt.timedelta(hours=1)
    assert read_clicks(log_of([written]), time_unit="s").collect()["time"].to_list() != [expected]


def test_numbers_that_happen_to_be_dates_now_and_then_are_numbers() -> None:
    read = read_clicks(log_of(range(20_260_000, 20_261_300, 10))).collect()
    assert read["time"].dt.epoch("s").to_list() == list(range(20_260_000, 20_261_300, 10))
    days = [20260301] * 40 + [20260230]  # there is no such day
    assert check_clicks(log_of(days)).counts["bad time"] == 1


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d.%m.%Y %H:%M", "14.03.2026 09:30"),
        ("%m/%d/%Y %I:%M %p", "03/14/2026 09:30 AM"),
        ("%Y%m%d%H%M", "202603140930"),
    ],
)
def test_a_time_format_is_read(form: str, text: str) -> None:
    read = read_clicks(log_of([text, "soon"]), time_format=form, time_zone="Europe/Berlin")
    assert check_clicks(read).clicks.collect()["time"].to_list() == [
        dt.datetime(2026, 3, 14, 8, 30, tzinfo=UTC)
    ]
    assert check_clicks(read).counts["bad time"] == 1
    zoned = read_clicks(log_of([f"{text} +0200"]), time_format=f"{form} %z").collect()
    assert zoned["time"].to_list() == [dt.datetime(2026, 3, 14, 7, 30, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"time_zone": "Europe/Berln"}, "did you mean Europe/Berlin"),
        ({"time_zone": 5}, "time_zone"),
        ({"time_unit": "minutes"}, "time_unit must be one of"),
        ({"time_format": "%H:%M"}, "time_format"),
        ({"time_format": "soon"}, "time_format"),
        ({"time_format": "%Q"}, "time_format"),
        ({"format": "yoochose"}, "yoochoose"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_read(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        read_clicks("nowhere.csv", **wrong)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([20_000] * 20 + [2**31 - 1], dtype=pl.Int32).cast(pl.Date),
        pl.Series([20_000] * 20 + [-(2**31)], dtype=pl.Int32).cast(pl.Date),
        pl.Series([1_600_000_000_000] * 20 + [2**62]).cast(pl.Datetime("ms")),
        pl.Series([1_600_000_000_000] * 20 + [-(2**63)]).cast(pl.Datetime("ms", "Europe/Berlin")),
        pl.Series([1_600_000_000_000_000] * 20 + [2**63 - 1]).cast(pl.Datetime("us")),
    ],
)
def test_a_date_that_no_calendar_has_costs_its_own_row_only(column: pl.Series, tmp_path: Path) -> None:
    checked = check_clicks(log_of(column))
    assert checked.counts == {"read": 21, "kept": 20, "rejected": 1, "bad time": 1}
    assert checked.rejected["time"].to_list() == [str(column.to_physical()[-1])]
    log_of(column).write_parquet(tmp_path / "log.parquet")
    assert check_clicks(read_clicks(tmp_path / "log.parquet")).counts["kept"] == 20


@pytest.mark.parametrize(
    "wrong", ["9" * 20, "-" + "9" * 20, "9" * 40, "1e300", "-1e19", "9223372036854775807"]
)
def test_one_impossible_number_costs_its_own_row_only(wrong: str, tmp_path: Path) -> None:
    rows = [f"{i % 9},{i % 7},2026-01-01 10:{i % 60:02d}:00" for i in range(60)]
    (tmp_path / "log.csv").write_text("\n".join(["session_id,item_id,time", *rows, f"1,2,{wrong}"]))
    counts = check_clicks(read_clicks(tmp_path / "log.csv")).counts
    assert (counts["kept"], counts["rejected"]) == (60, 1)
    seconds = pl.DataFrame(
        {
            "session_id": [1] * 60,
            "item_id": [1] * 60,
            "time": [str(1_600_000_000 + i) for i in range(59)] + [wrong],
        }
    )
    assert check_clicks(seconds).counts["kept"] == 59


def test_session_ids_that_begin_anew_are_noticed_and_cut_on_request(caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        (s, i, 1_767_225_600 + d * 86_400 + s * 60 + i * 20)
        for d in range(3)
        for s in range(50)
        for i in (1, 2, 3)
    ]
    log = pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")
    checked = check_clicks(log)
    assert "50 session ids come again after more than 6 hours of silence (100 times)" in checked.warnings[0]
    assert checked.warnings[0] in caplog.text
    assert sessionize(checked.clicks, user="session_id").collect()["session_id"].n_unique() == 150
    users = read_clicks(log, user="session_id")
    assert users.collect_schema().names() == ["item_id", "time", "user_id"]
    assert sessionize(check_clicks(users).clicks).collect()["session_id"].n_unique() == 150
