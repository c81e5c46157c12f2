"""Order and counts by compiled loops, against sorting and counting written plainly."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.clicks.order import codes, fixed_hash, run_starts, sorted_rows

pytestmark = pytest.mark.kernels
BY = ("session_id", "time", "item_id")
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=150)
FIXED = [16294208416658607535, 10451216379200822465], [7926324697985895708, 13282809478795301344]


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("wide", [1, 10**12])
@given(rows=ROWS)
def test_ids_of_every_kind_are_sorted_as_polars_sorts(
    rows: list[tuple[int, int, int]], text: bool, wide: int
) -> None:
    table = pl.DataFrame(rows, schema=dict.fromkeys(BY, pl.Int64), orient="row")
    table = table.with_columns(pl.col("session_id") * wide - 7, pl.col("time").cast(pl.Datetime("us", "UTC")))
    if text:
        table = table.with_columns(pl.col("session_id", "item_id").cast(pl.String))
    assert sorted_rows(table, "session_id").equals(table.sort(BY[:2], maintain_order=True))
    ordered = table.with_columns(click_order=pl.col("item_id").cast(pl.Int64))
    by_order = sorted_rows(ordered, "session_id")
    assert by_order.equals(ordered.sort("session_id", "time", "click_order", maintain_order=True))


def test_rows_with_a_null_come_last_and_stay() -> None:
    table = pl.DataFrame(
        {"session_id": [None, 2, 1], "time": [1, 2, 3], "item_id": [1, 1, 1]},
        schema_overrides={"time": pl.Int64},
    )
    assert sorted_rows(table, "session_id")["session_id"].to_list() == [1, 2, None]


def test_ids_of_the_largest_and_smallest_numbers_are_coded() -> None:
    for values in ([2**63 - 1] * 3, [-(2**63)] * 2, [-(2**63), 2**63 - 1]):
        coded, known = codes(pl.Series(values, dtype=pl.Int64))
        assert known[coded].to_list() == values


@pytest.mark.parametrize("text", [False, True])
def test_the_hash_of_ids_stays_the_same_and_spreads(text: bool) -> None:
    ids = pl.Series(range(1_000))
    hashed = fixed_hash(ids.cast(pl.String) if text else ids)
    assert len(np.unique(hashed)) == 1_000
    assert abs(np.corrcoef(np.arange(1_000), hashed.astype(float))[0, 1]) < 0.1
    assert hashed[:2].tolist() == (FIXED[1] if text else FIXED[0])


@given(st.lists(st.one_of(st.integers(-5, 5), st.integers(-(2**62), 2**62)), min_size=1, max_size=30))
def test_codes_keep_the_order_and_lead_back(values: list[int]) -> None:
    coded, known = codes(pl.Series(values, dtype=pl.Int64))
    assert known[coded].to_list() == values
    assert np.array_equal(np.argsort(coded, kind="stable"), np.argsort(values, kind="stable"))


def test_two_ids_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = pl.Series(["b", "a", "c", "a", "b"])
    monkeypatch.setattr(pl.Series, "hash", lambda found: pl.Series([1] * len(found), dtype=pl.UInt64))
    coded, known = codes(ids)
    assert known[coded].to_list() == ids.to_list()
    assert known.to_list() == ["a", "b", "c"]


def test_runs_begin_where_the_value_changes() -> None:
    assert run_starts(pl.Series(["a", "a", "b", "a"])).tolist() == [0, 2, 3]
    assert run_starts(pl.Series([], dtype=pl.Int64)).tolist() == []
