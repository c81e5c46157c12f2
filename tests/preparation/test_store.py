"""The store that grows by the day."""

import hashlib
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.clicks import check_clicks, generate_clicks, read_clicks
from recsys_gru.errors import ClickLogError, SchemaError
from recsys_gru.preparation import ClickStore

DAY = 86_400
Row = tuple[int, int, int]


def log_of(*rows: Row, key: str = "session_id") -> pl.LazyFrame:
    frame = pl.DataFrame(rows, schema=[key, "item_id", "time"], orient="row")
    return read_clicks(frame, time_unit="s", user="user_id" if key == "user_id" else None)


def files(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_a_store_holds_what_was_added_day_by_day(tmp_path: Path) -> None:
    log = generate_clicks(500, 50, days=4, seed=1)
    store = ClickStore(tmp_path)
    for _, day in log.group_by(pl.col("time").dt.date(), maintain_order=True):
        store.add(day)
    assert (
        store.events()
        .sort("time", "session_id", "item_id")
        .collect()
        .equals(check_clicks(log).clicks.sort("time", "session_id", "item_id").collect())
    )
    assert store.days() == [date(2026, 1, day) for day in (1, 2, 3, 4)]


def test_adding_a_day_twice_changes_no_byte(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    dirty = pl.DataFrame(
        {"session_id": ["a", "b", None], "item_id": ["x", "y", "z"], "time": ["5", "soon", "7"]}
    )
    first = store.add(dirty)
    before = files(tmp_path)
    again = store.add(dirty)
    assert files(tmp_path) == before
    assert (first.days, again.days, again.known) == ((date(1970, 1, 1),), (), 1)
    assert any(name.startswith("rejected/") for name in before)


def test_a_new_day_touches_only_itself_and_the_day_before_where_sessions_straddle(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    store.add(log_of((1, 1, 5), (2, 1, DAY + 5), (3, 1, 2 * DAY - 5)))
    assert store.add(log_of((4, 1, 2 * DAY + 50))).days == (date(1970, 1, 3),)
    assert store.add(log_of((3, 2, 2 * DAY + 5))).days == (date(1970, 1, 2),)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 60)), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
    st.sampled_from(["session_id", "user_id"]),
)
def test_neither_the_order_of_adding_nor_the_cut_into_batches_matters(
    rows: list[Row], random: Random, key: str
) -> None:
    hours = [(owner, item, 1_800 * slot) for owner, item, slot in rows]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        whole, pieces = ClickStore(Path(one)), ClickStore(Path(many))
        whole.add(log_of(*hours, key=key))
        random.shuffle(hours)
        for start in range(0, len(hours), 4):
            pieces.add(log_of(*hours[start : start + 4], key=key))
        assert pieces.fingerprint() == whole.fingerprint()
        assert pieces.events().sort(pl.all()).collect().equals(whole.events().sort(pl.all()).collect())


def test_late_clicks_join_their_session_and_may_move_it_to_the_day_before(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    store.add(log_of((1, 5, DAY + 10)))
    assert store.add(log_of((1, 4, DAY - 10))).days == (date(1970, 1, 1), date(1970, 1, 2))
    assert store.events(last=date(1970, 1, 1)).collect()["item_id"].to_list() == [4, 5]


def test_users_get_sessions_named_after_their_start(tmp_path: Path) -> None:
    store = ClickStore(tmp_path, gap=timedelta(minutes=30))
    store.add(log_of((7, 1, DAY - 60), key="user_id"))
    store.add(log_of((7, 2, DAY + 60), (7, 3, DAY + 7_200), key="user_id"))
    assert store.events().sort("time").collect()["session_id"].to_list() == [
        "7@1970-01-01T23:59:00.000000Z",
        "7@1970-01-01T23:59:00.000000Z",
        "7@1970-01-02T02:00:00.000000Z",
    ]


def test_a_write_that_was_broken_off_is_healed_by_adding_again(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    store.add(log_of((1, 5, 10), (2, 6, DAY + 10)))
    whole = store.fingerprint()
    (tmp_path / "manifest.json").unlink()
    store.add(log_of((1, 5, 10), (2, 6, DAY + 10)))
    assert store.fingerprint() == whole


def test_fingerprints_change_with_the_day_that_changed(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    store.add(log_of((1, 1, 5), (2, 1, DAY + 5)))
    before = store.fingerprints()
    store.add(log_of((3, 1, DAY + 9)))
    after = store.fingerprints()
    assert before[date(1970, 1, 1)] == after[date(1970, 1, 1)]
    assert before[date(1970, 1, 2)] != after[date(1970, 1, 2)]


def test_ids_of_another_type_and_empty_spans_are_clear_errors(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    store.add(log_of((1, 1, 5)))
    moment = datetime(1970, 1, 1, tzinfo=UTC)
    with pytest.raises(SchemaError, match="the store"):
        store.add(pl.DataFrame({"session_id": ["a"], "item_id": [1], "time": [moment]}))
    with pytest.raises(ClickLogError, match="no sessions from 2020-01-01"):
        store.events(first=date(2020, 1, 1))
    assert store.add(log_of((1, 1, 5)).filter(pl.lit(value=False))).days == ()
