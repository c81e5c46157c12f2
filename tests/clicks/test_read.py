"""Reading click logs of every format, and every fault of a file."""

import gzip
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import polars as pl
import pytest

from recsys_gru.clicks import check_clicks, read_clicks
from recsys_gru.errors import ClickLogError, SchemaError

HEAD = "session_id,item_id,time\n"
BODY = "".join(f"{i // 3},{i % 7},{1_600_000_000 + i}\n" for i in range(3_000))
PACKINGS: dict[str, Literal["gzip", "zstd", "uncompressed"]] = {
    "gz": "gzip",
    "zst": "zstd",
    "": "uncompressed",
}
FIRST = (0, 0, datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC))


def table() -> pl.DataFrame:
    return pl.read_csv((HEAD + BODY).encode())


def written(folder: Path, form: str) -> Path:
    path = folder / f"log.{form}"
    kind, _, packing = form.partition(".")
    compression = PACKINGS[packing]
    if kind == "parquet":
        table().write_parquet(path)
    elif kind == "ndjson":
        table().lazy().sink_ndjson(path, compression=compression)
    else:
        separator = "\t" if kind == "tsv" else ","
        table().lazy().sink_csv(path, separator=separator, compression=compression)
    return path


@pytest.mark.parametrize(
    "form", ["csv", "csv.gz", "csv.zst", "tsv", "tsv.gz", "parquet", "ndjson", "ndjson.gz", "ndjson.zst"]
)
def test_every_format_gives_the_same_clicks(tmp_path: Path, form: str) -> None:
    clicks = read_clicks(written(tmp_path, form)).collect()
    assert clicks.columns == ["session_id", "item_id", "time"]
    assert clicks.schema["time"] == pl.Datetime("us", "UTC")
    assert clicks.row(0) == FIRST
    assert clicks.equals(read_clicks(table()).collect())


def test_a_folder_a_glob_a_list_and_one_file_give_the_same_clicks(tmp_path: Path) -> None:
    halves = [table().head(1_000), table().tail(2_000)]
    for number, half in enumerate(halves):
        half.write_csv(tmp_path / f"part{number}.csv")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "notes.md").write_text("not a log")
    whole = read_clicks(table()).collect()
    for source in (tmp_path, tmp_path / "part*.csv", [tmp_path / "part0.csv", tmp_path / "part1.csv"]):
        assert read_clicks(source).collect().equals(whole)


def test_an_empty_file_in_a_folder_is_named_in_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table().write_csv(tmp_path / "full.csv")
    (tmp_path / "hollow.csv").touch()
    read_clicks(tmp_path)
    assert "hollow.csv" in caplog.text


def test_pandas_frames_are_taken_and_left_as_they_are() -> None:
    given = pd.DataFrame(
        {"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": pd.to_datetime(["2020-01-01"] * 2)}
    )
    before = given.copy()
    assert read_clicks(given).collect()["item_id"].to_list() == ["a", "b"]
    pd.testing.assert_frame_equal(given, before)


def test_pandas_times_with_a_zone_are_converted() -> None:
    times = pd.to_datetime(["2020-09-13 14:26:40"]).tz_localize("Europe/Amsterdam")
    log = pd.DataFrame({"session_id": [0], "item_id": [0], "time": times})
    assert read_clicks(log).collect().row(0) == FIRST


def test_a_pandas_column_of_mixed_types_is_a_clear_error() -> None:
    log = pd.DataFrame({"session_id": pd.Series([1, "a"], dtype=object), "item_id": [0, 1], "time": [0, 1]})
    with pytest.raises(SchemaError, match="one type"):
        read_clicks(log)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_600_000_000, "s"),
        (1_600_000_000_000, "ms"),
        (1_600_000_000_000_000, "us"),
        (1_600_000_000_000_000_000, "ns"),
        (1_600_000_000.0, "s"),
        ("1600000000", "s"),
    ],
)
def test_the_unit_of_epoch_times_is_found_and_told(
    value: float | str, unit: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "recsys_gru"):
        clicks = read_clicks(pl.DataFrame({"session_id": [0], "item_id": [0], "time": [value]})).collect()
    assert clicks.row(0) == FIRST
    assert f"read as {unit} since 1970 (1 of 1" in caplog.text


def test_one_odd_time_does_not_change_the_unit_of_the_others() -> None:
    times = [1_600_000_000_000, 1_600_000_000_000, 5]
    clicks = read_clicks(pl.DataFrame({"session_id": [0] * 3, "item_id": [0] * 3, "time": times})).collect()
    assert clicks["time"][0] == FIRST[2]


def test_small_ordinal_times_are_seconds_since_1970() -> None:
    clicks = read_clicks(
        pl.DataFrame({"session_id": [0, 1], "item_id": [1, 2], "time": [0, 1_000]})
    ).collect()
    assert clicks["time"].dt.epoch("s").to_list() == [0, 1_000]


@pytest.mark.parametrize(
    "text",
    [
        "2020-09-13T12:26:40Z",
        "2020-09-13T12:26:40.000Z",
        "2020-09-13 12:26:40",
        "2020-09-13 12:26:40 UTC",
        "2020-09-13T14:26:40+02:00",
        "2020-09-13 14:26:40+0200",
        " 2020-09-13T12:26:40 ",
        "2020/09/13 12:26:40",
    ],
)
def test_text_times_are_read_to_utc(text: str) -> None:
    clicks = read_clicks(pl.DataFrame({"session_id": [0], "item_id": [0], "time": [text]})).collect()
    assert clicks.row(0) == FIRST


def test_times_without_a_zone_are_of_the_zone_that_was_named() -> None:
    log = pl.DataFrame({"session_id": [0], "item_id": [0], "time": ["2020-09-13 14:26:40"]})
    assert read_clicks(log, time_zone="Europe/Amsterdam").collect().row(0) == FIRST


def test_the_hour_shown_twice_is_its_first_pass_and_the_hour_skipped_is_rejected() -> None:
    naive = [datetime(2020, 10, 25, 2, 30), datetime(2020, 3, 29, 2, 30)]
    for times in (pl.Series(naive), pl.Series([moment.isoformat() for moment in naive])):
        log = pl.DataFrame({"session_id": [0, 0], "item_id": [0, 1], "time": times})
        checked = check_clicks(read_clicks(log, time_zone="Europe/Amsterdam"))
        assert checked.clicks.collect()["time"].to_list() == [datetime(2020, 10, 25, 0, 30, tzinfo=UTC)]
        assert checked.rejected["reason"].to_list() == ["bad time"]


def test_ids_stay_as_they_came_but_for_blanks_around_them(tmp_path: Path) -> None:
    long = "x" * 1_000
    ids = ['a, "b"', "naïve 😀", long, " lead", "line\nbreak"]
    log = pl.DataFrame({"session_id": ["007", "1e5", "-", "a b", "Ω"], "item_id": ids, "time": range(5)})
    log.write_csv(tmp_path / "log.csv")
    clicks = read_clicks(tmp_path / "log.csv").collect()
    assert clicks["session_id"].to_list() == log["session_id"].to_list()
    assert clicks["item_id"].to_list() == [item.strip() for item in ids]


def test_ids_in_json_keep_whether_they_are_text(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"session_id": 1, "item_id": "12", "time": 5}) + "\n")
    assert read_clicks(path).collect().row(0)[:2] == (1, "12")


def test_a_text_id_half_way_makes_all_ids_text_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log.csv").write_text(HEAD + BODY + "9,abc,1600000000\n")
    clicks = read_clicks(tmp_path / "log.csv").collect()
    assert clicks.height == 3_001
    assert clicks["item_id"].dtype == pl.String
    assert "3000 values are whole numbers and 1 are not" in caplog.text


def test_a_time_that_is_none_half_way_is_one_rejected_row_as_it_came(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(HEAD + BODY + "9,7,half past ten\n")
    rejected = check_clicks(read_clicks(tmp_path / "log.csv")).rejected
    bad = rejected.filter(pl.col("reason") == "bad time")
    assert bad["time"].to_list() == ["half past ten"]


def test_json_ids_that_turn_into_text_half_way_are_text_and_none_is_lost(tmp_path: Path) -> None:
    rows = [{"session_id": n, "item_id": n if n < 2_000 else f"item {n}", "time": n} for n in range(2_500)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    clicks = read_clicks(tmp_path / "log.jsonl").collect()
    assert clicks["item_id"].to_list() == [str(row["item_id"]) for row in rows]


def test_the_separator_is_found(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text((HEAD + "0,0,1600000000\n").replace(",", ";"))
    assert read_clicks(tmp_path / "log.csv").collect().row(0) == FIRST


def test_a_user_is_read_only_when_asked_for() -> None:
    log = pl.DataFrame({"user_id": ["u"], "session_id": [1], "item_id": [1], "time": [1]})
    assert read_clicks(log).collect_schema().names() == ["session_id", "item_id", "time"]
    assert read_clicks(log, user="user_id").collect_schema().names() == [
        "session_id",
        "item_id",
        "time",
        "user_id",
    ]
    assert "session_id" not in read_clicks(log.drop("session_id"), user="user_id").collect_schema().names()


def test_a_missing_column_is_told_with_what_is_there_and_a_guess() -> None:
    with pytest.raises(SchemaError, match=r"no column 'itemid'.*did you mean item_idd\?.*Found: session_id"):
        read_clicks(pl.DataFrame({"session_id": [1], "item_idd": [1], "time": [1]}), item="itemid")


def test_a_log_without_sessions_is_sent_to_sessionize() -> None:
    with pytest.raises(SchemaError, match="sessionize"):
        read_clicks(pl.DataFrame({"user": [1], "item_id": [1], "time": [1]}))


FAULTS = {
    "cut.csv.gz": (gzip.compress((HEAD + BODY).encode())[:5_000], "cut.csv.gz: unexpected end"),
    "wide.csv": ((HEAD + "1,2,3\n1,2,3,4\n").encode(), "more fields"),
    "latin.csv": ((HEAD + "1,caf\xe9,3\n").encode("latin1"), "utf-8"),
    "odd.csv": (b"session_id^item_id^time\n1^2^3\n", "separated by something else"),
    "half.ndjson": (b'{"session_id":1,"item_id":2,"time":3}\n{"session_id":1,"it', "half.ndjson"),
    "text.parquet": (HEAD.encode(), "text.parquet"),
    "binary.csv": (b"PAR1\0\0\0\n\0", "not text"),
    "hollow.csv": (b"", "none with rows"),
    "log.xlsx": (b"anything", "cannot tell the format"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    content, message = FAULTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ClickLogError, SchemaError), match=message):
        read_clicks(tmp_path / name)


def test_a_truncated_zstd_file_is_a_clear_error(tmp_path: Path) -> None:
    path = written(tmp_path, "csv.zst")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ClickLogError, match=r"log\.csv\.zst"):
        read_clicks(path)


def test_files_of_different_types_are_named(tmp_path: Path) -> None:
    for name, item in (("a", 1), ("b", "one")):
        pl.DataFrame({"session_id": [1], "item_id": [item], "time": [1]}).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    with pytest.raises(
        SchemaError, match=r"a\.parquet has item_id \(integer\).*b\.parquet has item_id \(String\)"
    ):
        read_clicks(tmp_path)


def test_files_of_two_formats_are_not_mixed(tmp_path: Path) -> None:
    table().write_csv(tmp_path / "a.csv")
    table().write_parquet(tmp_path / "b.parquet")
    with pytest.raises(SchemaError, match="one format"):
        read_clicks(tmp_path)


def test_files_of_different_widths_and_column_orders_agree(tmp_path: Path) -> None:
    table().write_parquet(tmp_path / "a.parquet")
    narrow = table().select(pl.col("time", "item_id").cast(pl.Int32), "session_id")
    narrow.write_parquet(tmp_path / "b.parquet")
    assert read_clicks(tmp_path).collect().height == 6_000


@pytest.mark.parametrize("column", ["session_id", "time"])
def test_a_column_of_an_impossible_type_is_refused(column: str) -> None:
    log = pl.DataFrame({"session_id": [1], "item_id": [1], "time": [1]}).with_columns(
        pl.lit(value=True).alias(column)
    )
    with pytest.raises(SchemaError, match="Boolean"):
        read_clicks(log)


def test_something_that_is_no_frame_is_refused() -> None:
    with pytest.raises(SchemaError, match="expected a Polars or pandas frame, got int"):
        check_clicks(7)  # type: ignore[arg-type]
