"""The split doctor and the splits with more than two parts."""

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.clicks import generate_clicks, read_clicks
from recsys_gru.errors import ParameterError, SchemaError
from recsys_gru.sessions import (
    Sessions,
    diagnose_split,
    filter_sessions,
    split_by_time,
    split_rolling,
    split_three,
)

Row = tuple[int, int, int]


def log_of(*rows: Row) -> pl.DataFrame:
    return read_clicks(
        pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row"), time_unit="s"
    ).collect()


def test_a_clean_split_of_a_generated_log_has_nothing_to_hide() -> None:
    train, test = split_by_time(generate_clicks(5_000, 200, days=10, seed=1), timedelta(days=2))
    found = diagnose_split(train, test)
    assert (found.time_overlap, found.straddling_sessions, found.long_silences, found.warnings) == (
        0,
        0,
        0,
        (),
    )
    assert 0 < found.new_transition_share < found.seen_transition_share < 1


def test_every_figure_is_what_a_hand_count_gives() -> None:
    train = log_of((1, 7, 0), (1, 8, 10), (2, 7, 86_400), (2, 9, 86_410), (2, 9, 86_420))
    test = log_of((3, 7, 200_000), (3, 8, 200_010), (3, 8, 200_020), (4, 5, 300_000), (4, 6, 300_000))
    found = diagnose_split(train, test)
    assert (found.train_events, found.test_events, found.test_transitions) == (5, 5, 3)
    assert found.unknown_share == 2 / 5
    assert found.repeat_rate == 1 / 3
    assert found.collision_rate == 2 / 5
    assert found.seen_transition_share == 1 / 3
    assert found.new_transition_share == 1.0
    assert found.long_silences == 0
    assert found.per_day.rows() == [(date(1970, 1, 1), 1, 1, 1.0), (date(1970, 1, 2), 2, 2, 1.0)]


def test_new_transitions_are_told_day_by_day() -> None:
    day = 86_400
    found = diagnose_split(
        log_of(
            (1, 7, 0),
            (1, 8, 1),
            (2, 7, day),
            (2, 8, day + 1),
            (2, 9, day + 2),
            (3, 7, 2 * day),
            (3, 8, 2 * day + 1),
        ),
        log_of((4, 7, 9 * day)),
    )
    assert found.per_day.select("transitions", "new", "new_share").rows() == [
        (1, 1, 1.0),
        (2, 1, 0.5),
        (1, 0, 0.0),
    ]
    assert found.new_transition_share == 0.25
    assert "1970-01-02                   2           1       50.0%" in str(found)
    assert "per_day" not in found.figures()


def test_packed_sessions_give_the_diagnosis_of_their_frames() -> None:
    train, test = split_by_time(generate_clicks(2_000, 200, days=10, seed=1), timedelta(days=2))
    train = filter_sessions(train, min_support=40)
    packed = Sessions.from_events(train)
    tested = Sessions.from_events(test, packed.vocabulary)
    assert tested.unknown.height > 0
    found, expected = diagnose_split(packed, tested), diagnose_split(train, test)
    assert found.figures() == expected.figures()
    assert found.per_day.equals(expected.per_day)
    assert found.warnings == expected.warnings
    with pytest.raises(SchemaError, match="both parts packed"):
        diagnose_split(packed, test)


def test_a_leaking_split_is_named_in_words() -> None:
    log = log_of((1, 7, 0), (1, 8, 10), (2, 7, 20), (2, 8, 200_000))
    text = str(diagnose_split(log, log))
    for words in ("learns from the future", "in both parts", "only 2 steps", "more than 6 hours"):
        assert words in text


def test_an_empty_test_part_is_described_too() -> None:
    log = log_of((1, 7, 0), (1, 8, 10))
    assert diagnose_split(log, log.clear()).figures()["unknown_share"] == 0.0


def test_three_parts_follow_each_other_in_time() -> None:
    log = generate_clicks(2_000, 100, days=10, seed=3)
    parts = split_three(log, test=timedelta(days=1), validation=timedelta(days=2))
    train, validation, test = (part.lazy().collect() for part in parts)
    assert train["time"].max() < parts.inner.cut <= validation["time"].min()  # type: ignore[operator]
    assert validation["time"].max() < parts.outer.cut <= test["time"].min()  # type: ignore[operator]
    lost = parts.inner.straddling_events + parts.outer.straddling_events
    assert train.height + validation.height + test.height + lost == log.height


@given(st.integers(1, 4), st.integers(0, 5))
def test_rolling_folds_test_every_late_session_once(folds: int, seed: int) -> None:
    log = generate_clicks(200, 20, days=8, seed=seed)
    span = timedelta(days=1)
    splits = list(split_rolling(log, span, folds))
    starts = log.group_by("session_id").agg(pl.col("time").min())
    late = starts.filter(pl.col("time") >= splits[0].cut)["session_id"]
    tested = pl.concat([split.test.lazy().collect() for split in splits])
    assert sorted(tested["session_id"].unique()) == sorted(late)
    assert tested.height == log.filter(pl.col("session_id").is_in(late.implode())).height
    for split, following in pairwise(splits):
        assert following.cut - split.cut == span


def test_a_rolling_window_limits_the_training_part() -> None:
    log = generate_clicks(500, 20, days=8, seed=1)
    for split in split_rolling(log, timedelta(days=1), 3, train=timedelta(days=2)):
        earliest = split.train.lazy().collect()["time"].min()
        assert earliest >= split.cut - timedelta(days=2)  # type: ignore[operator]


def test_impossible_folds_are_refused() -> None:
    with pytest.raises(ParameterError, match="folds as a whole number of at least 1"):
        next(split_rolling(log_of((1, 1, 1)), timedelta(days=1), 0))
