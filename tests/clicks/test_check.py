"""Rows set aside: every rule, and that nothing is ever lost."""

from collections import Counter
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.clicks import Ledger, check_clicks, read_clicks

GOOD = ("1", "7", "1600000000")


def checked_counts(*rows: tuple[str | None, str | None, str | None]) -> dict[str, int]:
    return check_clicks(dirty(*rows)).counts


def dirty(*rows: tuple[str | None, str | None, str | None]) -> pl.LazyFrame:
    frame = pl.DataFrame(
        rows, schema=dict.fromkeys(("session_id", "item_id", "time"), pl.String), orient="row"
    )
    return read_clicks(frame)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, "7", "1600000000"), "null session_id"),
        (("1", None, "1600000000"), "null item_id"),
        (("1", "7", None), "null time"),
        (("1", "7", "yesterday"), "bad time"),
        (("1", "7", "nan"), "non-finite time"),
        (("1", "7", "inf"), "non-finite time"),
        (("1", "7", "9" * 20), "bad time"),
        (("1", "7", "0"), "time far outside the log"),
        (("1", "7", "99999999999"), "time far outside the log"),
        (GOOD, "duplicate"),
    ],
)
def test_each_fault_has_its_reason(row: tuple[str | None, str | None, str | None], reason: str) -> None:
    rows = [GOOD, *((str(n), "7", str(1_600_000_000 + n)) for n in range(200)), row]
    assert checked_counts(*rows) == {"read": 202, "kept": 201, "rejected": 1, reason: 1}


def test_rejected_rows_are_kept_as_they_came() -> None:
    checked = check_clicks(dirty(GOOD, ("1", "7", "yester day"), ("2", None, "1600000000")))
    assert checked.rejected.rows() == [
        ("1", "7", "yester day", "bad time"),
        ("2", None, "1600000000", "null item_id"),
    ]


def test_ids_that_are_not_finite_or_whole_are_rejected() -> None:
    log = pl.DataFrame(
        {"session_id": [1.0, float("nan"), float("inf"), 1.5], "item_id": ["a"] * 4, "time": [1] * 4}
    )
    counts = check_clicks(log).counts
    assert (counts["kept"], counts["non-finite session_id"], counts["bad session_id"]) == (1, 2, 1)


def test_ordinal_times_are_not_far_outside_their_own_log() -> None:
    log = pl.DataFrame(
        {"session_id": range(5_000), "item_id": [1] * 5_000, "time": range(0, 5_000_000, 1_000)}
    )
    assert check_clicks(log).counts["rejected"] == 0


def test_one_far_time_in_a_small_log_is_found_and_a_sparse_log_is_left_alone() -> None:
    day = 86_400
    small = [("1", "7", str(1_600_000_000 + n)) for n in range(11)]
    assert (
        checked_counts(*small, ("1", "7", str(1_600_000_000 + 4_000 * day)))["time far outside the log"] == 1
    )
    years = [("1", "7", str(1_600_000_000 + 700 * day * n)) for n in range(3)]
    assert checked_counts(*years)["rejected"] == 0


def test_the_ledger_holds_every_rule() -> None:
    ledger = Ledger()
    check_clicks(dirty(GOOD, GOOD, ("2", "8", "soon")), ledger)
    rows = ledger.table().select("rule", "rows_before", "rows_after", "sessions_after", "items_after").rows()
    assert rows == [("bad time", 3, 2, 1, 1), ("duplicate", 2, 1, 1, 1)]


def test_a_log_of_users_is_checked_by_user() -> None:
    log = pl.DataFrame({"user_id": ["u", None], "item_id": [1, 1], "time": [1, 1]})
    assert check_clicks(read_clicks(log, user="user_id")).counts == {
        "read": 2,
        "kept": 1,
        "rejected": 1,
        "null user_id": 1,
    }


def test_a_log_in_which_no_time_can_be_read_is_rejected_wholly() -> None:
    assert checked_counts(("1", "2", "x"), ("1", "2", "y"))["rejected"] == 2


VALUES = st.sampled_from(
    ["1", "2", "nan", "", "abc", "1.0", "1600000000", "2020-09-13 12:26:40", "1e30", " 3 "]
)
CELLS = st.one_of(st.none(), VALUES)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=30), st.randoms())
def test_kept_and_rejected_add_up_and_rows_of_different_times_may_come_in_any_order(
    rows: list[tuple[str | None, str | None, str | None]], random: Random
) -> None:
    checked = check_clicks(dirty(*rows))
    assert checked.clicks.collect().height + checked.rejected.height == len(rows) == checked.counts["read"]
    assert (
        sum(n for name, n in checked.counts.items() if name not in ("read", "kept", "rejected"))
        == (checked.counts["rejected"])
    )
    random.shuffle(rows)
    again = check_clicks(dirty(*rows))
    by = ("session_id", "time", "item_id")
    assert again.clicks.sort(by).collect().equals(checked.clicks.sort(by).collect())
    assert again.counts == checked.counts
    # of equal clicks that are written differently the first stays, whichever that is
    first, other = (
        [row for row in one.rejected.rows() if row[-1] != "duplicate"] for one in (checked, again)
    )
    assert Counter(first) == Counter(other)
    kept = checked.clicks.collect()
    if not kept.select("session_id", "time").is_duplicated().any():
        assert again.clicks.collect().equals(kept)
