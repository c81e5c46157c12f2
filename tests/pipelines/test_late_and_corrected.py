"""Clicks that come late leave a finished night alone; a file that is corrected replaces the wrong one."""

from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.plumbing.errors import DONE, REFUSED
from pipelines.stages.ingest import ingest, store_of
from recsys_gru import ClickStore
from tests.pipelines.nights import DAY, FIRST, Home

NEXT = DAY + timedelta(days=1)


def stored(home: Home) -> pl.DataFrame:
    """All clicks of the store."""
    return store_of(home.settings()).events().collect().sort("session_id", "time", "item_id")


def rows_of(home: Home) -> pl.DataFrame:
    """All clicks of the store with the order that they came with."""
    paths = sorted(store_of(home.settings()).folder.glob("day=*/clicks.parquet"))
    rows = pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in paths], how="diagonal")
    return rows.sort("session_id", "time", "item_id")


def landed(home: Home, day: date) -> pl.DataFrame:
    """What was delivered for a day."""
    return pl.read_parquet(home.settings().input.file(day))


def stragglers(home: Home, item: int = 5) -> pl.DataFrame:
    """A session of two clicks on the day before the night's."""
    like = landed(home, DAY - timedelta(days=1)).sort("time").tail(2)
    return like.with_columns(session_id=pl.lit(10**6, pl.Int64), item_id=pl.lit(item, pl.Int64))


def test_a_finished_night_stands_though_late_clicks_came(
    serving: Home, caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: value for name, value in serving.digests().items() if not name.startswith("clicks/")}
    serving.land(NEXT, pl.concat([landed(serving, NEXT), stragglers(serving)]))
    ingest(NEXT, serving.settings())
    caplog.clear()
    assert serving.run() == DONE
    assert "stage started" not in caplog.text
    assert "late clicks have come since the decision, which stands" in caplog.text
    after = serving.digests()
    assert {name: after[name] for name in before} == before
    assert serving.runs() == ["FINISHED"]
    caplog.clear()
    from pipelines import nightly

    assert nightly.run_night(DAY, serving.settings(), again=True) in (DONE, REFUSED)
    assert "stage started" in caplog.text


def test_a_corrected_file_replaces_the_wrong_one_and_late_clicks_of_others_stay(ready: Home) -> None:
    before = DAY - timedelta(days=1)
    right = landed(ready, before)
    ready.land(NEXT, pl.concat([landed(ready, NEXT), stragglers(ready)]))
    ingest(NEXT, ready.settings())
    expected = stored(ready)
    wrong = right.with_columns(item_id=pl.col("item_id") + 1000)
    ready.land(before, pl.concat([wrong, stragglers(ready), stragglers(ready, 6)]))
    ingest(before, ready.settings())
    assert stored(ready)["item_id"].max() > 1000  # type: ignore[operator]
    assert stored(ready).filter(pl.col("session_id") == 10**6).height == 4
    ready.land(before, right)
    ingest(before, ready.settings())
    assert stored(ready).equals(expected)
    ready.land(before, pl.concat([wrong, right.head(1)]))  # and wrong once more, as it was before
    ingest(before, ready.settings())
    ready.land(before, right)
    ingest(before, ready.settings())
    assert stored(ready).equals(expected)


@pytest.mark.parametrize("first_without", [False, True])
def test_a_corrected_file_replaces_the_wrong_one_also_where_the_clicks_carry_their_order(
    ready: Home, first_without: bool
) -> None:
    before = DAY - timedelta(days=1)
    right = landed(ready, before).with_columns(click_order=pl.int_range(pl.len()))
    late = stragglers(ready).with_columns(click_order=pl.Series([7, 8]))
    ready.land(NEXT, pl.concat([landed(ready, NEXT).with_columns(click_order=pl.int_range(pl.len())), late]))
    ingest(NEXT, ready.settings())
    ready.land(before, right)
    ingest(before, ready.settings())
    expected = rows_of(ready)
    assert expected.filter(pl.col("session_id") == 10**6)["click_order"].to_list() == [7, 8]
    # other items, an order that was too small, and what another file brought too, there in another order
    wrong = pl.concat([right.with_columns(item_id=pl.col("item_id") + 1000), right.head(40), late])
    wrong = wrong.with_columns(click_order=pl.col("click_order") - 5)
    ready.land(before, wrong.drop("click_order") if first_without else wrong)
    ingest(before, ready.settings())
    assert rows_of(ready)["item_id"].max() > 1000  # type: ignore[operator]
    ready.land(before, right)
    ingest(before, ready.settings())
    assert rows_of(ready).equals(expected)


def test_a_corrected_file_may_write_its_ids_as_another_type(ready: Home) -> None:
    before = DAY - timedelta(days=1)
    right, expected = landed(ready, before), stored(ready)
    text = pl.col("session_id", "item_id").cast(pl.String)
    ready.land(before, right.with_columns(text).tail(right.height - 10))
    ingest(before, ready.settings())
    assert stored(ready).height == expected.height - 10
    ready.land(before, right)
    ingest(before, ready.settings())
    assert stored(ready).equals(expected)


def test_a_corrected_file_of_a_finished_day_has_it_judged_again(
    ready: Home, caplog: pytest.LogCaptureFixture
) -> None:
    clicks = landed(ready, DAY).sort("session_id", "time")
    ready.land(DAY, clicks.head(clicks.height // 3))
    assert ready.run() == REFUSED
    ready.land(DAY, clicks)
    caplog.clear()
    assert ready.run() == DONE
    assert "stage started" in caplog.text


def test_what_is_left_of_a_session_moves_to_the_day_on_which_it_starts_now(home: Home) -> None:
    store = ClickStore(home.folder / "store")
    start, late = 86_390, 86_410
    rest = pl.DataFrame({"session_id": [1, 2], "item_id": [8, 9], "time": [late, late]})
    gone = pl.DataFrame({"session_id": [1], "item_id": [7], "time": [start]})
    store.add(rest)
    expected = store.fingerprint()
    store.add(gone)
    assert store.days() == [date(1970, 1, 1), date(1970, 1, 2)]
    assert store.forget(gone) == (date(1970, 1, 1), date(1970, 1, 2))
    assert store.fingerprint() == expected
    assert store.forget(gone) == ()
    assert store.days()[0] < FIRST
