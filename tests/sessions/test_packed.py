"""Packed sessions and the vocabulary."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_gru.clicks import read_clicks
from recsys_gru.errors import ClickLogError, SchemaError
from recsys_gru.sessions import Sessions, Vocabulary, as_sessions, session_keys

CASES = ("xe_tied", "xe_one_hot", "bpr_max_separate", "bpr_max_tied_momentum", "xe_tied_two_layers")


def log_of(*rows: tuple[int | str, int | str, int]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")
    return read_clicks(frame, time_unit="s").collect()


@pytest.mark.parametrize("case", CASES)
def test_item_numbers_and_support_are_those_of_the_recorded_runs(shared: Path, case: str) -> None:
    recorded = np.load(shared / "reference" / f"{case}.npz")
    sessions = as_sessions(shared / "reference" / "train.csv")
    assert np.array_equal(sessions.vocabulary.ids.to_numpy(), recorded["item_ids"])
    assert np.array_equal(sessions.vocabulary.support, recorded["support"])


def test_sessions_come_oldest_first_and_ties_go_by_session_id() -> None:
    sessions = Sessions.from_events(log_of((3, 1, 10), (2, 2, 10), (9, 3, 5), (3, 4, 11)))
    assert sessions.ids.to_list() == [9, 2, 3]
    assert sessions.lengths.tolist() == [1, 1, 2]
    assert sessions.vocabulary.ids.to_list() == [3, 2, 1, 4]


def test_events_of_one_second_stay_as_they_came() -> None:
    sessions = Sessions.from_events(log_of((1, 5, 7), (1, 2, 7), (1, 9, 6)))
    assert sessions.vocabulary.take(sessions.items).to_list() == [9, 5, 2]
    assert sessions.tied_share == 0.5


def test_rows_of_different_times_may_come_in_any_order() -> None:
    log = log_of((1, "a", 1), (1, "b", 2), (2, "a", 1), (3, "c", 0), (2, "b", 9))
    whole = Sessions.from_events(log).fingerprint()
    for seed in range(20):
        assert Sessions.from_events(log.sample(fraction=1, shuffle=True, seed=seed)).fingerprint() == whole


def test_unknown_items_are_kept_apart_with_their_place_in_the_raw_session() -> None:
    vocabulary = Vocabulary(pl.Series(["a", "b"]), np.array([1, 1]))
    log = log_of(("s", "x", 1), ("s", "a", 2), ("s", "y", 3), ("t", "z", 4))
    sessions = Sessions.from_events(log, vocabulary)
    assert sessions.items.tolist() == [0]
    assert sessions.lengths.tolist() == [1, 0]
    assert sessions.ids.to_list() == ["s", "t"]
    assert sessions.unknown.select("session_id", "position", "item_id").rows() == [
        ("s", 0, "x"),
        ("s", 2, "y"),
        ("t", 0, "z"),
    ]


def test_sessions_get_new_numbers_under_another_vocabulary_and_lose_nothing() -> None:
    log = log_of((1, "a", 1), (1, "b", 2), (1, "c", 3), (2, "c", 4))
    first = Vocabulary(pl.Series(["a", "c"]), np.array([1, 1]))
    second = Vocabulary(pl.Series(["c", "b"]), np.array([1, 1]))
    through = as_sessions(Sessions.from_events(log, first), second)
    assert through.fingerprint() == Sessions.from_events(log, second).fingerprint()


def test_a_vocabulary_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    vocabulary = Vocabulary(pl.Series(["ä", "b c", '"']), np.array([3, 2, 1]))
    vocabulary.write(tmp_path / "vocabulary.parquet")
    assert Vocabulary.read(tmp_path / "vocabulary.parquet") == vocabulary


def test_text_asked_of_a_vocabulary_of_numbers_is_an_error_that_shows_the_ids() -> None:
    vocabulary = Vocabulary(pl.Series([1, 2]), np.array([1, 1]))
    with pytest.raises(SchemaError, match="Int64; got String: \\['1'\\]"):
        vocabulary.numbers(pl.Series(["1"]))


def test_a_vocabulary_refuses_an_item_twice() -> None:
    with pytest.raises(ClickLogError, match="all different"):
        Vocabulary(pl.Series([1, 1]), np.array([1, 1]))


def test_null_ids_are_an_error_that_says_where_to_go() -> None:
    log = log_of((1, 2, 3)).with_columns(item_id=pl.lit(None, dtype=pl.Int64))
    with pytest.raises(ClickLogError, match="check_clicks"):
        Sessions.from_events(log)


def test_an_empty_log_gives_no_sessions() -> None:
    sessions = Sessions.from_events(log_of((1, 2, 3)).clear())
    assert (sessions.n_sessions, sessions.n_events, len(sessions.vocabulary)) == (0, 0, 0)


def test_sessions_with_their_own_vocabulary_are_taken_as_they_are() -> None:
    sessions = Sessions.from_events(log_of((1, 2, 3)))
    assert as_sessions(sessions) is sessions
    assert as_sessions(sessions, sessions.vocabulary) is sessions


def test_raw_times_are_sent_to_read_clicks() -> None:
    with pytest.raises(SchemaError, match="read_clicks"):
        Sessions.from_events(pl.DataFrame({"session_id": [1], "item_id": [1], "time": [5]}))


def test_a_vocabulary_refuses_what_is_none(tmp_path: Path) -> None:
    with pytest.raises(ClickLogError, match="one support per item"):
        Vocabulary(pl.Series([1, 2]), np.array([1]))
    with pytest.raises(SchemaError, match="whole numbers or text; got Float64"):
        Vocabulary(pl.Series([1.5]), np.array([1]))
    pl.DataFrame({"item": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(SchemaError, match="found item"):
        Vocabulary.read(tmp_path / "other.parquet")
    assert Vocabulary(pl.Series([1]), np.array([1])) != "vocabulary"


def test_categories_are_text_and_unknown_ids_are_minus_one() -> None:
    vocabulary = Vocabulary(pl.Series(["a", "b"], dtype=pl.Categorical), np.array([1, 2]))
    assert vocabulary.ids.dtype == pl.String
    assert vocabulary.numbers(pl.Series(["b", "c", None])).tolist() == [1, -1, -1]
    assert vocabulary.numbers(pl.Series([], dtype=pl.Null)).tolist() == []
    assert vocabulary.number("c") == -1


@pytest.mark.parametrize("text", [False, True])
def test_items_are_found_alike_by_one_and_by_many_as_a_catalogue_goes_on(text: bool) -> None:
    ids = pl.Series(np.random.default_rng(1).permutation(300))
    ids = ids.cast(pl.String) if text else ids
    older: list[Vocabulary] = []
    for count in (100, 100, 180, 240):
        newer = Vocabulary(ids[:count], np.ones(count, np.int64))
        older.append(newer.going_on(older[-1]) if older else newer)
        wanted = np.where(np.arange(300) < count, np.arange(300), -1).tolist()
        assert [older[-1].number(one) for one in ids.to_list()] == wanted
        for few in range(0, 300, 7):
            assert older[-1].numbers(ids[few : few + 7]).tolist() == wanted[few : few + 7]
        twice = pl.concat([ids, ids.reverse(), ids.clear(2)])
        assert older[-1].numbers(twice).tolist() == [*wanted, *wanted[::-1], -1, -1]
    assert [one.number(ids[150]) for one in older] == [-1, -1, 150, 150]  # an older one learns of none


def test_ids_are_taken_from_text_and_an_empty_list() -> None:
    vocabulary = Vocabulary(pl.Series(["a", "b"]), np.array([1, 1]))
    assert vocabulary.take(np.array([1, 0], dtype=np.int32)).to_list() == ["b", "a"]
    assert vocabulary.take([]).to_list() == []


def test_a_session_has_one_key_however_its_id_is_written() -> None:
    whole = [0, -7, 2**53 + 1, 10**17]
    assert session_keys(pl.Series(whole)).tolist() == whole
    assert session_keys(pl.Series([str(number) for number in whole])).tolist() == whole


def test_texts_have_keys_of_their_own_that_stay_the_same() -> None:
    texts = ["", "-", "07", "7 ", "٣", "a", "b", "9" * 30, *(f"visit {number}" for number in range(1000))]
    keys = session_keys(pl.Series(texts))
    assert len(set(keys.tolist())) == len(texts)
    assert keys.dtype == np.int64
    assert keys[texts.index("a")] == 3405396810240292928
    assert session_keys(pl.Series([], dtype=pl.String)).tolist() == []
