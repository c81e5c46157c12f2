"""The store that grows by the day."""

import hashlib
import json
import tempfile
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.clicks import check_clicks, generate_clicks, read_clicks
from recsys_gru.errors import ClickLogError, SchemaError
from recsys_gru.preparation import ClickStore
from recsys_gru.sessions import split_by_time

DAY = 86_400
Row = tuple[int, int, int]


def log_of(*rows: Row, key: str = "session_id") -> pl.LazyFrame:
    frame = pl.DataFrame(rows, schema=[key, "item_id", "time"], orient="row")
    return read_clicks(frame, time_unit="s", user="user_id" if key == "user_id" else None)


def files(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def partitions(folder: Path) -> dict[str, str]:
    """All but the rejected rows, of which each delivery has its own."""
    return {name: digest for name, digest in files(folder).items() if not name.startswith("rejected")}


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
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 60)), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
    st.sampled_from(["session_id", "user_id"]),
    st.sampled_from([1_800, 7_200, 21_600, 40_000]),
)
def test_neither_the_order_of_adding_nor_the_cut_into_batches_nor_repetition_matters(
    rows: list[Row], random: Random, key: str, slot_seconds: int
) -> None:
    hours = [(owner, item, slot_seconds * slot) for owner, item, slot in rows]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        whole, pieces = ClickStore(Path(one)), ClickStore(Path(many))
        whole.add(log_of(*hours, key=key))
        random.shuffle(hours)
        for start in range(0, len(hours), 4):
            pieces.add(log_of(*hours[start : start + 4], key=key))
        assert pieces.fingerprint() == whole.fingerprint()
        assert partitions(Path(many)) == partitions(Path(one))
        again = random.sample(hours, len(hours))
        for start in range(0, len(hours), 5):
            assert pieces.add(log_of(*again[start : start + 5], key=key)).days == ()
        assert partitions(Path(many)) == partitions(Path(one))
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


@pytest.mark.parametrize("key", ["session_id", "user_id"])
@pytest.mark.parametrize("gap", [3_600, DAY])
def test_sessions_of_three_days_are_the_same_in_any_order_and_number_of_deliveries(
    tmp_path: Path, key: str, gap: int
) -> None:
    days = [[(7, 10 + d, d * DAY + t) for t in range(0, DAY, gap)] for d in range(3)]
    found = set()
    for order in permutations(range(3)):
        store = ClickStore(tmp_path / str(order), gap=timedelta(hours=2))
        for d in (*order, *order):
            store.add(log_of(*days[d], key=key))
        found.add(str(files(store.folder)))
        assert store.events().collect().height == sum(map(len, days))
        assert store.events().collect()["session_id"].n_unique() == (1 if gap == 3_600 else 3)
    assert len(found) == 1


def test_ids_that_begin_anew_every_day_are_other_sessions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ClickStore(tmp_path)
    day = [[(s, i, d * DAY + 36_000 + 60 * s + i) for s in range(50) for i in (1, 2, 3)] for d in range(4)]
    said = [store.add(log_of(*rows)).warnings for rows in day]
    assert not said[0]
    assert all("50 session ids come again" in warnings[0] for warnings in said[1:])
    for d in range(4):
        one = store.events(date(1970, 1, 1 + d), date(1970, 1, 1 + d)).collect()
        assert (one.height, one["session_id"].n_unique()) == (150, 50)
        assert one.schema["session_id"] == pl.Int64
    whole = store.events().collect()
    assert (whole.height, whole["session_id"].n_unique()) == (600, 200)
    assert "7@1970-01-02T10:07:00.000000Z".replace("00.", "01.") in whole["session_id"]
    assert "come again" in caplog.text
    train, test = split_by_time(whole, timedelta(hours=20))
    assert (train.lazy().collect().height, test.lazy().collect().height) == (450, 150)
    morning_and_evening = ClickStore(tmp_path / "two")
    morning_and_evening.add(log_of((1, 1, 8 * 3_600), (1, 2, 20 * 3_600)))
    assert morning_and_evening.events().collect()["session_id"].n_unique() == 2


def test_a_store_reads_ids_by_its_own_type(tmp_path: Path) -> None:
    def written(name: str, *items: str) -> pl.LazyFrame:
        body = "".join(f"{n},{item},{n}\n" for n, item in enumerate(items, start=1_000))
        (tmp_path / name).write_text("session_id,item_id,time\n" + body)
        return read_clicks(tmp_path / name)

    numbers, texts = ClickStore(tmp_path / "numbers"), ClickStore(tmp_path / "texts")
    numbers.add(written("a.csv", "1", "2"))
    added = numbers.add(written("b.csv", "3", "gift-card", "4.0"))
    assert added.counts == {"read": 3, "kept": 2, "rejected": 1, "bad item_id": 1}
    assert sorted(numbers.events().collect()["item_id"]) == [1, 2, 3, 4]
    rejected = [pl.read_parquet(path) for path in (tmp_path / "numbers" / "rejected").iterdir()]
    assert [row["item_id"].to_list() for row in rejected] == [["gift-card"]]
    with pytest.raises(SchemaError, match="holds item_id as Int64; got"):
        numbers.add(written("c.csv", "x", "y"))
    texts.add(written("d.csv", "x", "2"))
    texts.add(written("e.csv", "2", "3"))
    assert sorted(texts.events().collect()["item_id"]) == ["2", "2", "3", "x"]


def test_a_store_written_before_takes_clicks_of_sessions_that_lasted_for_days(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    store.add(log_of(*((1, hour, 3_600 * hour) for hour in range(60))))
    whole = files(tmp_path)
    told = json.loads((tmp_path / "manifest.json").read_text())
    for facts in told.values():
        del facts["last"]  # which earlier versions did not write
    (tmp_path / "manifest.json").write_text(json.dumps(told, indent=1))
    assert store.add(log_of((1, 59, 3_600 * 59))).days == ()
    store.add(log_of((1, 60, 3_600 * 60)))
    assert store.days() == [date(1970, 1, 1)]
    assert files(tmp_path) != whole


@pytest.mark.parametrize("first", ["session_id", "user_id"])
def test_a_store_of_sessions_takes_no_users_and_the_other_way_round(tmp_path: Path, first: str) -> None:
    store, other = ClickStore(tmp_path), {"session_id": "user_id", "user_id": "session_id"}[first]
    store.add(log_of((1, 1, 5), key=first))
    with pytest.raises(SchemaError, match=r"the store .* holds"):
        store.add(log_of((1, 1, 6), key=other))


def test_a_day_is_open_while_one_of_its_sessions_has_clicks_to_come(tmp_path: Path) -> None:
    store = ClickStore(tmp_path)
    store.add(log_of((1, 1, 23 * 3600), (1, 2, 25 * 3600), (2, 1, 26 * 3600)))
    moments = [datetime(1970, 1, 2, hour, tzinfo=UTC) for hour in (0, 2, 3)]
    assert [[day.day for day in store.open_days(moment)] for moment in moments] == [[1, 2], [2], []]
