"""Ids on their way in: no two become one, and their type does not hang on the rows that are there."""

import decimal
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recsys_gru as rg
from recsys_gru.clicks import check_clicks, read_clicks
from recsys_gru.errors import ClickLogError, ParameterError, SchemaError

TIMES = range(1_600_000_000, 1_600_000_006)
HASHES = [2**63 + 1, 2**63 + 2, 2**63 + 3] * 2


def log_of(items: Any, **more: Any) -> pl.DataFrame:  # noqa: ANN401 - columns of any type
    n = len(items)
    return pl.DataFrame(
        {"session_id": [k // 3 for k in range(n)], "item_id": items, "time": TIMES[:n]} | more
    )


def csv_of(path: Path, items: list[str], first: int = 0) -> Path:
    rows = [
        f"{first + s},{item},{1_600_000_000 + 1_000 * s + n}"
        for s in range(6)
        for n, item in enumerate(items)
    ]
    path.write_text("session_id,item_id,time\n" + "\n".join(rows) + "\n")
    return path


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


@pytest.mark.parametrize(
    "form", [lambda log: log, as_pandas, lambda log: log.to_arrow(), lambda log: log.to_dict()]
)
def test_whole_numbers_above_63_bits_are_text_in_every_source(
    form: Callable[[pl.DataFrame], Any], caplog: pytest.LogCaptureFixture
) -> None:
    log = form(log_of(pl.Series(HASHES, dtype=pl.UInt64)))
    checked = check_clicks(read_clicks(log))
    assert checked.clicks.collect()["item_id"].to_list() == [str(item) for item in HASHES]
    assert "6 ids lie above 9223372036854775807" in caplog.text
    model = rg.Markov().fit(log)
    known = pl.Series(HASHES[:3], dtype=pl.UInt64)
    assert set(model.recommend_one([str(HASHES[0])], allow=known)["item_id"]) == {
        str(item) for item in HASHES[1:3]
    }
    small = log_of(pl.Series([5, HASHES[0], 7], dtype=pl.UInt64))
    assert rg.as_sessions(small.head(2), model.vocabulary_).unknown["item_id"].to_list() in (["5"], [5])


def test_large_numbers_of_json_and_python_are_text(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        "".join(
            json.dumps({"session_id": 1, "item_id": item, "time": n}) + "\n" for n, item in enumerate(HASHES)
        )
    )
    expected = [str(item) for item in HASHES]
    assert read_clicks(tmp_path / "log.jsonl").collect()["item_id"].to_list() == expected
    frame = pd.DataFrame({"session_id": 1, "item_id": pd.Series([2**70, 5], dtype=object), "time": [1, 2]})
    assert read_clicks(frame).collect()["item_id"].to_list() == [str(2**70), "5"]


@pytest.mark.parametrize(("kind", "limit"), [("float64", 2**53), ("float32", 2**24), ("float16", 2**11)])
def test_floats_that_stand_for_several_numbers_are_set_aside(
    kind: str, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    items = np.array([limit - 1, limit, limit * 2, 7, np.nan, -limit], dtype=kind)
    counts = check_clicks(log_of(items)).counts
    assert (counts["kept"], counts["bad item_id"], counts["non-finite item_id"]) == (2, 3, 1)
    assert f"floats from 2^{limit.bit_length() - 1} on" in caplog.text


def test_missing_items_that_made_floats_of_a_pandas_column_do_not_merge_three_items() -> None:
    items = [1234567890123456781, 1234567890123456782, 1234567890123456783, None]
    log = pd.DataFrame({"session_id": 1, "item_id": items, "time": [1, 2, 3, 4]})
    counts = check_clicks(log.astype({"item_id": "float64"})).counts
    assert counts == {"read": 4, "kept": 0, "rejected": 4, "bad item_id": 3, "null item_id": 1}
    with pytest.raises(ClickLogError, match="null"):
        rg.Markov().fit(log.astype({"item_id": "float64"}))


def test_floats_written_into_a_csv_are_no_better_than_floats(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "log.csv", ["1234567890123456768.0", "12.0"])
    counts = check_clicks(read_clicks(path)).counts
    assert (counts["kept"], counts["bad item_id"]) == (6, 6)


def test_one_impossible_id_costs_its_own_row_only() -> None:
    log = pl.DataFrame(
        {"session_id": [1] * 101, "item_id": [float(i % 7) for i in range(100)] + [1e300], "time": range(101)}
    )
    assert check_clicks(log).counts == {"read": 101, "kept": 100, "rejected": 1, "bad item_id": 1}
    same = check_clicks(log_of([2**63 - 1] * 3))
    assert same.clicks.collect()["item_id"].to_list() == [2**63 - 1] * 3


@pytest.mark.parametrize(
    ("known", "live"),
    [
        (["1449357016", "080442957X", "1491912057"], ["1449357016", "1491912057"]),
        (["12345678901234567890", "123456789012345678"], ["123456789012345678"] * 2),
        (["12", "7", "9"], ["12", "gift-card", "7"]),
        (["007", "12", "x"], ["12", "x"]),
    ],
)
def test_the_type_of_a_models_ids_rules_what_is_read_later(
    tmp_path: Path, known: list[str], live: list[str]
) -> None:
    model = rg.Markov().fit(csv_of(tmp_path / "known.csv", known))
    path = csv_of(tmp_path / "live.csv", live, 100)
    assert len(model.recommend(path, k=1)) == 6
    of_frame = model.recommend(read_clicks(path).collect(), k=1)
    assert of_frame["item_id"].to_list() == model.recommend(path, k=1)["item_id"].to_list()
    unknown = rg.as_sessions(path, model.vocabulary_).unknown
    assert set(map(str, unknown["item_id"])) == set(live) - set(known)


def test_a_model_learns_on_from_a_file_of_what_looks_like_numbers(tmp_path: Path) -> None:
    model = rg.GRU4Rec(layers=(4,), batch_size=2, n_sample=4, n_epochs=1, device="cpu")
    model.fit(csv_of(tmp_path / "known.csv", ["12", "x", "7"]))
    model.partial_fit(csv_of(tmp_path / "later.csv", ["12", "7", "5"]))
    assert sorted(model.vocabulary_.ids) == ["12", "5", "7", "x"]
    numbers = rg.Markov().fit(csv_of(tmp_path / "numbers.csv", ["1", "2"]))
    with pytest.raises(SchemaError, match="gift-card"):
        rg.as_sessions(log_of(["1", "gift-card", "2"]), ids_like=numbers.vocabulary_)


def test_a_caller_says_what_ids_are(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "log.csv", ["12", "007"])
    path.write_text(path.read_text().replace("007", "7"))
    assert read_clicks(path).collect().schema["item_id"] == pl.Int64
    assert read_clicks(path, ids="text").collect().schema["session_id"] == pl.String
    found = read_clicks(path, ids={"item_id": "text"}).collect()
    assert found.schema["session_id"] == pl.Int64
    assert found.schema["item_id"] == pl.String
    mixed = csv_of(tmp_path / "mixed.csv", ["12", "gift-card"])
    counts = check_clicks(read_clicks(mixed, ids="whole")).counts
    assert (counts["kept"], counts["bad item_id"]) == (6, 6)
    assert read_clicks(log_of([1, 2]), ids="text").collect()["item_id"].to_list() == ["1", "2"]
    for wrong in ("number", {"item": "text"}):
        with pytest.raises(ParameterError, match="'text' or 'whole'"):
            read_clicks(path, ids=wrong)


def test_blanks_around_ids_and_headers_are_no_part_of_them(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('session_id, item_id , time\n1, a ,5\n1,"b ",6\n   \n\n2,a,7\n')
    checked = check_clicks(read_clicks(path))
    assert checked.clicks.collect()["item_id"].to_list() == ["a", "b", "a"]
    assert checked.clicks.collect_schema()["session_id"] == pl.Int64
    assert checked.counts["kept"] == 3
    assert read_clicks(log_of([" a", "a ", "b"])).collect()["item_id"].to_list() == ["a", "a", "b"]


@pytest.mark.parametrize("word", ["NULL", "null", "", " ", "None", "n/a", "<NA>", "\\N", "NaN"])
@pytest.mark.parametrize("lazy", [False, True])
def test_words_for_nothing_are_no_items(tmp_path: Path, word: str, lazy: bool) -> None:
    log = log_of(["a", word, "b"])
    checked = check_clicks(log.lazy() if lazy else log)
    assert checked.clicks.collect()["item_id"].to_list() == ["a", "b"]
    assert checked.rejected["item_id"].to_list() == [word]
    assert checked.rejected["reason"].to_list()[0].endswith("item_id")
    utc = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    assert check_clicks(utc.lazy() if lazy else utc).counts["kept"] == 2
    log.write_csv(tmp_path / "log.csv")
    assert check_clicks(read_clicks(tmp_path / "log.csv")).counts["kept"] == 2


def test_decimals_uuids_arrow_tables_and_dicts_are_taken() -> None:
    decimals = log_of(pl.Series([decimal.Decimal("12.00"), decimal.Decimal("7.00")]))
    assert read_clicks(decimals).collect()["item_id"].to_list() == [12, 7]
    some = [uuid.UUID(int=5), uuid.UUID(int=6)]
    told = [str(one) for one in some]
    columns = {"session_id": [1, 1], "item_id": some, "time": [1, 2]}
    assert read_clicks(columns).collect()["item_id"].to_list() == told
    assert read_clicks(pd.DataFrame(columns)).collect()["item_id"].to_list() == told
    table = pa.table({"session_id": [1, 1], "item_id": told, "time": [1, 2]})
    assert read_clicks(table).collect()["item_id"].to_list() == told
    assert rg.as_sessions(table).n_events == 2
    assert check_clicks({"session_id": [1], "item_id": [1], "time": [1]}).counts["kept"] == 1
    assert read_clicks(log_of([None, None])).collect()["item_id"].null_count() == 2


def test_what_cannot_be_ids_is_refused_in_words() -> None:
    with pytest.raises(SchemaError, match="hex"):
        read_clicks(log_of([b"\x01" * 16]))
    with pytest.raises(SchemaError, match="list of paths"):
        read_clicks([{"session_id": 1}])  # type: ignore[list-item]
    with pytest.raises(SchemaError, match="one type"):
        read_clicks({"session_id": [1], "item_id": [1, 2], "time": [1]})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "log.csv").write_bytes("session_id,item_id,time\n1,2,3\n".encode(encoding))
    with pytest.raises(ClickLogError, match=encoding[:6].upper()):
        read_clicks(tmp_path / "log.csv")


@pytest.mark.parametrize("name", ["log[12]", "a*b", "what?", "50%20"])
@pytest.mark.parametrize("form", ["csv", "parquet", "ndjson"])
def test_a_path_is_a_name(tmp_path: Path, name: str, form: str) -> None:
    place = tmp_path / name
    place.mkdir()
    (tmp_path / "log1").mkdir()
    for folder, item in ((place, 1), (tmp_path / "log1", 2)):
        log = log_of([item, item])
        getattr(log, f"write_{form}")(folder / f"{name}.{form}")
    for source in (place, place / f"{name}.{form}", [place / f"{name}.{form}"]):
        assert read_clicks(source).collect()["item_id"].to_list() == [1, 1]


@given(
    st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1)), min_size=1, max_size=20)
)
def test_different_numbers_stay_different(items: list[int]) -> None:
    typed = pl.Series(items, dtype=pl.Int128)
    found = read_clicks(
        {"session_id": [1] * len(items), "item_id": typed, "time": [1] * len(items)}
    ).collect()
    assert [int(item) for item in found["item_id"]] == items
