"""Items files at the door: what is taken, what is set aside, what is refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recsys_gru as rg
from recsys_gru.errors import ClickLogError, InputError, ParameterError, SchemaError
from recsys_gru.facts import check_items

TEXT_IDS = rg.Vocabulary(pl.Series(["1", "2"]), np.array([1, 1]))
WHOLE_IDS = rg.Vocabulary(pl.Series([1, 2]), np.array([1, 1]))
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 4),
        st.none() | st.sampled_from([1.0, 2.0, float("nan"), float("inf")]),
        st.none() | st.lists(st.sampled_from([0.5, float("-inf")]), min_size=2, max_size=3),
    ),
    min_size=1,
    max_size=8,
)


def slow_reasons(rows: list[tuple[Any, Any, Any]]) -> list[str | None]:
    """The first rule that each row breaks, one row after the other."""
    lengths = [len(vector) for _, _, vector in rows if vector is not None]
    usual = max(sorted(set(lengths)), key=lambda n: (lengths.count(n), n)) if lengths else None
    reasons: list[str | None] = []
    for item, price, vector in rows:
        reason = None
        if vector is not None and not np.isfinite(vector).all():
            reason = "non-finite vector"
        if vector is not None and len(vector) != usual:
            reason = "wrong length of vector"
        if price is not None and not np.isfinite(price):
            reason = "non-finite price"
        reasons.append("null item_id" if item is None else reason)
    for place, (item, _, _) in enumerate(rows):
        later = [i for i in range(place + 1, len(rows)) if rows[i][0] == item and reasons[i] is None]
        if reasons[place] is None and later:
            reasons[place] = "duplicate item_id"
    return reasons


@given(ROWS)
def test_every_row_is_kept_or_set_aside_with_the_first_rule_it_breaks(
    rows: list[tuple[Any, Any, Any]],
) -> None:
    frame = pl.DataFrame(
        rows, schema={"item_id": pl.Int64, "price": pl.Float64, "vector": pl.List(pl.Float64)}, orient="row"
    )
    before = frame.clone()
    expected = slow_reasons(rows)
    if all(expected):
        with pytest.raises(InputError, match=f"no item is left of {len(rows)} rows"):
            check_items(frame)
        return
    ledger = rg.Ledger()
    checked = check_items(frame, ledger=ledger)
    assert checked.rejected["reason"].to_list() == [reason for reason in expected if reason]
    assert checked.rejected.drop("reason").equals(
        frame.filter(pl.Series([bool(r) for r in expected])), null_equal=True
    )
    assert checked.items["item_id"].to_list() == [
        row[0] for row, why in zip(rows, expected, strict=True) if not why
    ]
    counts = dict(checked.counts)
    assert counts.pop("read") == len(rows) == counts.pop("kept") + counts.pop("rejected")
    assert counts == {reason: expected.count(reason) for reason in expected if reason}
    assert {reason: ledger.removed(reason) for reason in counts} == counts
    assert frame.equals(before)


def test_a_file_with_other_names_and_nothing_for_nothing_is_read(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text(
        "sku,price,title,since,genres,ok\n7,2.5,Red shoe,2020-01-02,a|b,true\n8,NA,,,b,\n,1,x,,,\nx,1,x,,,\n"
    )
    checked = check_items(file, kinds={"genres": "labels"}, ids_like=WHOLE_IDS)
    assert checked.items.sort("item_id").select(
        "item_id", "price", "title", "since", "genres", "ok"
    ).rows() == [
        (7, 2.5, "Red shoe", 1577923200.0, ["a", "b"], "true"),
        (8, None, None, None, ["b"], None),
    ]
    assert checked.counts == {"read": 4, "kept": 2, "rejected": 2, "bad item_id": 1, "null item_id": 1}
    assert checked.rejected["item_id"].to_list() == [None, "x"]


@pytest.mark.parametrize("ids", ["whole", "text"])
def test_item_ids_become_those_of_the_log(ids: str, tmp_path: Path) -> None:
    like, expected = (WHOLE_IDS, [1, 2]) if ids == "whole" else (TEXT_IDS, ["1", "2"])
    file = tmp_path / "items.csv"
    file.write_text("item_id,size\n1,3\n2,4\n")
    whole = pl.DataFrame({"item_id": [1, 2], "size": [3, 4]})
    for given_items in (
        file,
        whole,
        whole.with_columns(pl.col("item_id").cast(pl.String)),
        whole.to_pandas(),
    ):
        checked = check_items(given_items, ids_like=like)
        assert checked.items["item_id"].to_list() == expected
        assert check_items(check_items(whole), ids_like=like).items["item_id"].to_list() == expected
    with pytest.raises(SchemaError, match="those of the items are text: \\['a'\\]"):
        check_items(check_items({"item_id": ["a"], "size": [1]}), ids_like=WHOLE_IDS)


def test_pandas_has_nan_for_what_is_missing() -> None:
    frame = pd.DataFrame({"item_id": [1, 2], "price": [1.5, float("nan")], "brand": ["x", None]})
    assert check_items(frame).items.rows() == [(1, 1.5, "x"), (2, None, None)]


def test_whole_numbers_that_missing_values_made_floats_are_the_same_labels() -> None:
    frame = pl.DataFrame({"item_id": [1, 2, 3], "size": [38.0, None, 38.5]})
    assert check_items(frame, kinds={"size": "label"}).items["size"].to_list() == ["38", None, "38.5"]


def test_a_text_that_is_no_number_where_one_is_wanted_is_set_aside() -> None:
    frame = pl.DataFrame({"item_id": [1, 2, 3, 4], "price": ["2", "2 EUR", "n/a", "inf"]})
    checked = check_items(frame, kinds={"price": "number"})
    assert checked.counts == {"read": 4, "kept": 2, "rejected": 2, "bad price": 1, "non-finite price": 1}
    assert checked.items["price"].to_list() == [2.0, None]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"brand": ["x"]}, "no column 'item_id' for item_id. Found: brand"),
        ({"item_id": [1]}, "expected columns of facts beside 'item_id'"),
        ({"item_id": [1], "raw": [b"x"]}, "'raw' is Binary, which is no fact"),
        ({"item_id": [1], "deep": [[["x"]]]}, r"'deep' is List\(List\(String\)\), which is no fact"),
        ({"item_id": [1], "size": [{"a": 1}]}, "'size' is Struct.*, which is no fact"),
        ({"item_id": [[1]], "size": [1]}, "expected item_id as whole numbers or text"),
    ],
)
def test_frames_that_cannot_be_facts_are_refused_in_words(frame: dict[str, Any], said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        check_items(pl.DataFrame(frame))


def test_kinds_and_names_that_there_are_not_are_refused_in_words(tmp_path: Path) -> None:
    frame = pl.DataFrame({"item_id": [1], "sku": [2], "size": [3]})
    with pytest.raises(ParameterError, match="kinds names 'colour'; the columns are sku, size"):
        check_items(frame, kinds={"colour": "label"})
    with pytest.raises(
        ParameterError, match="expected kinds of label, labels, number, vector, words; got 'text'"
    ):
        check_items(frame, kinds={"size": "text"})
    with pytest.raises(ParameterError, match="there is a column 'item_id' too"):
        check_items(frame, item="sku")
    with pytest.raises(ParameterError, match="expected ledger as a Ledger"):
        check_items(frame, ledger=[])  # type: ignore[arg-type]
    with pytest.raises(ClickLogError, match=r"nothing.csv; found none"):
        check_items(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["red", "blue", "red", "dark red"], "label"),
        (["Home & Garden > Tools"] * 5 + ["Home & Garden > Plants"] * 5, "label"),
        (["The red balloon", "A trip to the moon", "Metropolis", "Sunrise: a song"], "words"),
        (["東京物語", "七人の侍", "羅生門"], "words"),
        (["สวัสดีครับ", "ขอบคุณมาก"], "words"),
        (["a-1", "a-2", "a-3"], "words"),
        (["a1", "a2", "a3"], "label"),
        (pl.Series(["long words of one", "another of them"], dtype=pl.Categorical), "label"),
        ([True, False], "label"),
        ([1, 2], "number"),
        (pl.Series([1, 2]).cast(pl.Date), "number"),
        ([["a"], ["b", "c"]], "labels"),
        ([[1, 2], [3]], "labels"),
        ([[1.0, 2.0], [3.0, 4.0]], "vector"),
        (pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)), "vector"),
        ([None, None], "label"),
    ],
)
def test_the_type_and_the_values_say_what_a_column_is(values: Any, kind: str) -> None:  # noqa: ANN401
    frame = pl.DataFrame({"item_id": range(len(values)), "fact": values})
    assert check_items(frame).kinds == {"fact": kind}


@pytest.mark.parametrize("kind", ["label", "labels", "words"])
def test_the_caller_may_say_otherwise(kind: str) -> None:
    frame = pl.DataFrame({"item_id": [1, 2], "title": ["one thing", "the other|thing"]})
    assert check_items(frame, kinds={"title": kind}).kinds == {"title": kind}


def test_moments_of_any_unit_are_seconds() -> None:
    days = pl.Series(["2020-01-02"]).str.to_date()
    for moments in (
        days,
        days.cast(pl.Datetime("ms")),
        days.cast(pl.Datetime("ns", "UTC")),
        pl.Series(["2020-01-02"]),
    ):
        frame = pl.DataFrame({"item_id": [1], "since": moments})
        assert check_items(frame, kinds={"since": "number"}).items["since"].to_list() == [1577923200.0]


def test_shuffled_facts_are_the_same_facts_of_other_items_and_stay_together() -> None:
    frame = pl.DataFrame({"item_id": range(50), "size": range(50), "brand": [f"b{i}" for i in range(50)]})
    one, again, other = (rg.shuffle_facts(frame, seed=seed) for seed in (1, 1, 2))
    assert one.items.equals(again.items)
    assert not one.items.equals(other.items)
    assert one.items["item_id"].to_list() == list(range(50))
    assert sorted(one.items["size"]) == list(range(50))
    assert [f"b{size:.0f}" for size in one.items["size"]] == one.items["brand"].to_list()
    assert (one.items["size"] == frame["size"]).sum() < 10


def test_vectors_of_a_pandas_frame_may_be_arrays_or_lists() -> None:
    for vectors in ([np.array([1.0, 2.0]), None], [[1.0, 2.0], None]):
        frame = pd.DataFrame({"item_id": [1, 2], "vector": pd.Series(vectors, dtype=object)})
        assert check_items(frame).items["vector"].to_list() == [[1.0, 2.0], None]


def test_arguments_of_other_kinds_are_refused_in_words() -> None:
    frame = pl.DataFrame({"item_id": [1], "size": [3]})
    with pytest.raises(ParameterError, match="expected kinds as a dict, got 5"):
        check_items(frame, kinds=5)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="expected ids_like as a Vocabulary, got 5"):
        check_items(frame, ids_like=5)  # type: ignore[arg-type]
