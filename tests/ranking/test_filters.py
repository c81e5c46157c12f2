"""Item filters: lists, availability and what the session has seen."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from recsys_gru.errors import InputError, ParameterError, SchemaError
from recsys_gru.ranking import Candidates, ItemFilter
from recsys_gru.sessions import Sessions
from tests.ranking.scorers import events_of, vocabulary_of

SESSIONS = [[0, 1, 0], [2], [3, 2, 1]]


def bound_candidates(item_filter: ItemFilter, rows: list[int]) -> Candidates:
    sessions = Sessions.from_events(events_of(SESSIONS), vocabulary_of(5))
    candidates = item_filter.bind(sessions).candidates(np.array(rows))
    assert candidates is not None
    return candidates


def utc(minute: int) -> datetime:
    return datetime(2026, 1, 1, 0, minute, tzinfo=UTC)


def availability(since: list[datetime | None], until: list[datetime | None]) -> pl.DataFrame:
    times = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {"item_id": range(len(since)), "since": since, "until": until},
        schema_overrides={"item_id": pl.Int64, "since": times, "until": times},
    )


def test_a_filter_that_bars_nothing_costs_nothing() -> None:
    sessions = Sessions.from_events(events_of(SESSIONS), vocabulary_of(5))
    assert ItemFilter(deny=[]).bind(sessions).candidates(np.array([0])) is None


def test_allow_and_deny_are_taken_together_and_unknown_ids_are_counted() -> None:
    item_filter = ItemFilter(allow=[0, 1, 77, 77], deny=[1, 88, 99])
    assert item_filter.keep(vocabulary_of(5)).tolist() == [True, False, False, False, False]
    assert item_filter.bind(Sessions.from_events(events_of(SESSIONS), vocabulary_of(5))).ignored == 3


@pytest.mark.parametrize(
    "item_filter", [ItemFilter(allow=[]), ItemFilter(allow=[99]), ItemFilter(deny=range(5))]
)
def test_lists_that_leave_no_item_are_an_error(item_filter: ItemFilter) -> None:
    with pytest.raises(InputError, match=r"known ids start with \[0, 1, 2"):
        item_filter.keep(vocabulary_of(5))


def test_seen_items_of_the_session_so_far_are_barred_row_by_row() -> None:
    candidates = bound_candidates(ItemFilter(exclude_seen=True), [0, 2, 3, 5])
    seen = ~candidates.tile(0, 5)
    assert [np.flatnonzero(row).tolist() for row in seen] == [[0], [0, 1], [2], [2, 3]]
    np.testing.assert_array_equal(candidates.tile(2, 4), candidates.tile(0, 5)[:, 2:4])


def test_an_item_is_live_from_since_up_to_but_not_until_and_never_without_a_row() -> None:
    frame = availability([utc(0), utc(1), None, None], [utc(2), None, utc(1), None])
    mask = bound_candidates(ItemFilter(availability=frame), [0, 1, 2]).tile(0, 5)
    assert mask.tolist() == [
        [True, False, True, True, False],
        [True, True, False, True, False],
        [False, True, False, True, False],
    ]


def test_a_fixed_moment_replaces_the_time_of_the_last_event() -> None:
    frame = availability([utc(0), utc(5)], [utc(5), None])
    mask = bound_candidates(ItemFilter(availability=frame, at=utc(6)), [0, 5]).tile(0, 5)
    assert mask.tolist() == [[False, True, False, False, False]] * 2


def test_asking_for_single_items_agrees_with_the_mask() -> None:
    frame = availability([None, utc(2), None, None], [None, None, utc(4), None])
    candidates = bound_candidates(
        ItemFilter(deny=[3], availability=frame, exclude_seen=True), [0, 1, 2, 3, 4, 5]
    )
    mask = candidates.tile(0, 5)
    for item in range(5):
        np.testing.assert_array_equal(candidates.has(np.full(6, item, dtype=np.int32)), mask[:, item])


def test_availability_must_name_each_item_once_with_zoned_times() -> None:
    good = availability([None], [None])
    with pytest.raises(SchemaError, match="until"):
        ItemFilter(availability=good.drop("until"))
    with pytest.raises(SchemaError, match="time zone"):
        ItemFilter(availability=good.with_columns(pl.lit(datetime(2026, 1, 1)).alias("since")))
    with pytest.raises(SchemaError, match=r"repeated: \[0\]"):
        ItemFilter(availability=pl.concat([good, good]))
    with pytest.raises(ParameterError, match="time zone"):
        ItemFilter(at=datetime(2026, 1, 1))
