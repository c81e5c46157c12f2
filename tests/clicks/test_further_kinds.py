"""Further samples of the kinds of fault that were found in click logs: read right, or refused in words."""

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from recsys_gru.clicks import check_clicks, read_clicks
from recsys_gru.errors import ClickLogError, SchemaError

HEAD = "session_id,item_id,time\n"
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def log_of(times: Any) -> pl.DataFrame:  # noqa: ANN401 - a column of any type
    column = pl.Series(times)
    return pl.DataFrame({"session_id": [1] * len(column), "item_id": range(len(column)), "time": column})


@pytest.mark.parametrize("wrong", [20261332, 1_600_000_000])
def test_one_number_that_is_no_date_costs_its_own_row_only(wrong: int) -> None:
    checked = check_clicks(read_clicks(log_of([20260301, wrong, 20260302, 20260303])))
    assert checked.counts == {"read": 4, "kept": 3, "rejected": 1, "bad time": 1}
    assert checked.clicks.collect()["time"].dt.year().unique().to_list() == [2026]


def test_dates_with_their_hour_are_dates_and_seconds_of_their_length_are_seconds() -> None:
    assert read_clicks(log_of([2026030112, 2026030113])).collect()["time"][0] == NOON
    seconds = [2_026_030_112 + 7 * step for step in range(50)]
    assert read_clicks(log_of(seconds)).collect()["time"].dt.epoch("s").to_list() == seconds


def test_times_of_a_few_words_and_a_column_without_any() -> None:
    texts = pl.Series(["2026-03-01 12:00:00", None], dtype=pl.Categorical)
    assert read_clicks(log_of(texts)).collect()["time"].to_list() == [NOON, None]
    nothing = pl.DataFrame({"session_id": [], "item_id": [], "time": []})
    assert check_clicks(nothing).counts == {"read": 0, "kept": 0, "rejected": 0}


@pytest.mark.parametrize("kind", ["pandas", "dict"])
@pytest.mark.parametrize("ids", [[1, "2", 3.5], ["a", 2, None]])
def test_a_column_that_mixes_types_is_named(ids: list[object], kind: str) -> None:
    columns = {"session_id": [1, 1, 2], "item_id": ids, "time": [1, 2, 3]}
    with pytest.raises(SchemaError, match=r"column item_id mixes .* and .*map\(str\)"):
        read_clicks(columns if kind == "dict" else pd.DataFrame(columns))


def test_two_columns_of_one_name_are_named() -> None:
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=["session_id", "item_id", "item_id", "time"])
    with pytest.raises(SchemaError, match="two columns have the name item_id"):
        read_clicks(frame)


@pytest.mark.parametrize("at", [0, 50_000])
def test_latin_letters_are_named_wherever_they_stand(tmp_path: Path, at: int) -> None:
    rows = [f"1,a{row},{1_600_000_000 + row}" for row in range(at + 1)] + ["1,café,1600999999"]
    (tmp_path / "log.csv").write_bytes((HEAD + "\n".join(rows)).encode("latin-1"))
    with pytest.raises(ClickLogError, match="save it as UTF-8"):
        check_clicks(read_clicks(tmp_path / "log.csv"))


@pytest.mark.parametrize(
    ("start", "said"), [(b"PK\x03\x04\0\0", "a zip archive"), (b"PAR1\x15\x04", "a Parquet file")]
)
def test_a_name_that_promises_text(tmp_path: Path, start: bytes, said: str) -> None:
    (tmp_path / "log.csv").write_bytes(start + bytes(100))
    with pytest.raises(ClickLogError, match=said):
        read_clicks(tmp_path / "log.csv")


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.csv")
    with pytest.raises(ClickLogError, match="is a pipe or device"):
        read_clicks(tmp_path / "log.csv")
