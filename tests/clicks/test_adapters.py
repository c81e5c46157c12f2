"""Published files, written by hand exactly as they are published."""

import gzip
import json
import logging
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.clicks import Ledger, Recipe, check_clicks, read_clicks, recipe_of, sessionize
from recsys_gru.errors import ClickLogError, ParameterError, SchemaError
from recsys_gru.preparation import prepare
from recsys_gru.sessions import Sessions

KINDS = {  # what a row may be, and where clicks say so
    "retailrocket": ("view", "addtocart", "transaction", ""),
    "otto": ("clicks", "carts", "orders"),
    "rees46": ("view", "cart", "remove_from_cart", "purchase", ""),
    "coveo": ("detail", "add", "purchase", "remove", "click", ""),
}
FILES = {
    "yoochoose": (
        "yoochoose-clicks.dat",
        "1,2014-04-07T10:51:09.277Z,214536502,0\n"
        "1,2014-04-07T10:54:09.868Z,214536500,0\n"
        "2,2014-04-07T13:56:37.614Z,214662742,S\n",
        (1, 214536502, datetime(2014, 4, 7, 10, 51, 9, 277000, tzinfo=UTC)),
        3,
    ),
    "diginetica": (
        "train-item-views.csv",
        "sessionId;userId;itemId;timeframe;eventdate\n"
        "1;NA;81766;526309;2016-05-09\n"
        "1;NA;31331;1031018;2016-05-09\n"
        "2;5;32118;243569;2016-05-09\n",
        (1, 81766, datetime(2016, 5, 9, 0, 8, 46, 309000, tzinfo=UTC)),
        3,
    ),
    "retailrocket": (
        "events.csv",
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433221332117,257597,view,355908,\n"
        "1433224214164,992329,view,248676,\n"
        "1433221999827,111016,addtocart,318965,\n"
        "1433222276276,599528,transaction,356475,4000\n",
        (257597, 355908, datetime(2015, 6, 2, 5, 2, 12, 117000, tzinfo=UTC)),
        2,
    ),
    "otto": (
        "otto-recsys-train.jsonl",
        '{"session":0,"events":[{"aid":1517085,"ts":1659304800025,"type":"clicks"},{"aid":1563459,'
        '"ts":1659304904511,"type":"carts"}]}\n'
        '{"session":1,"events":[{"aid":424964,"ts":1659304800025,"type":"clicks"}]}\n',
        (0, 1517085, datetime(2022, 7, 31, 22, 0, 0, 25000, tzinfo=UTC)),
        2,
    ),
    "globo": (
        "clicks_hour_000.csv",
        "user_id,session_id,session_start,session_size,click_article_id,click_timestamp,"
        "click_environment,click_deviceGroup,click_os,click_country,click_region,click_referrer_type\n"
        "0,1506825423271737,1506825423000,2,157541,1506826828020,4,3,20,1,20,2\n"
        "0,1506825423271737,1506825423000,2,68866,1506826858020,4,3,20,1,20,2\n",
        (1506825423271737, 157541, datetime(2017, 10, 1, 3, 0, 28, 20000, tzinfo=UTC)),
        2,
    ),
    "rees46": (
        "2019-Oct.csv.gz",
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
        "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,"
        "72d76fde-8bb3-4e00-8c23-a032dfed738c\n"
        "2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.environment.water_heater,"
        "aqua,33.20,554748717,9333dfbd-b87a-4708-9857-6336556b0fcc\n",
        ("72d76fde-8bb3-4e00-8c23-a032dfed738c", 44600062, datetime(2019, 10, 1, tzinfo=UTC)),
        1,
    ),
    "coveo": (
        "browsing_train.csv",
        "session_id_hash,event_type,product_action,product_sku_hash,server_timestamp_epoch_ms,"
        "hashed_url\n"
        "20c458b8,event_product,detail,d5157f8b,1550885210881,7e4527ac\n"
        "20c458b8,pageview,,,1550885213307,4ed279f4\n",
        ("20c458b8", "d5157f8b", datetime(2019, 2, 23, 1, 26, 50, 881000, tzinfo=UTC)),
        1,
    ),
    "lastfm-1k": (
        "userid-timestamp-artid-artname-traid-traname.tsv",
        'user_000001\t2009-05-04T23:08:57Z\tf1b1cf71\tDeep Dish\tt1\t12" mix\n'
        "user_000001\t2009-05-04T13:54:10Z\ta7f7df4a\t坂本龍一\tt2\tComposition 0919\n",
        ("user_000001", "t1", datetime(2009, 5, 4, 23, 8, 57, tzinfo=UTC)),
        2,
    ),
}


def written(folder: Path, name: str) -> Path:
    file, text, _, _ = FILES[name]
    data = text.encode()
    (folder / file).write_bytes(gzip.compress(data) if file.endswith(".gz") else data)
    return folder / file


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_published_file_is_read_as_it_is(tmp_path: Path, name: str, whole_folder: bool) -> None:
    path = written(tmp_path, name)
    (tmp_path / "README.md").write_text("about the data")
    clicks = read_clicks(tmp_path if whole_folder else path, format=name)
    _, text, first, n_clicks = FILES[name]
    assert clicks.collect().row(0)[:3] == first
    checked = check_clicks(clicks)
    assert checked.clicks.collect_schema().names()[1:] == ["item_id", "time"]
    n_rows = text.count('"aid"') or len(text.splitlines()) - (not text[0].isdigit() and name != "lastfm-1k")
    assert checked.counts["read"] == n_rows
    assert checked.counts["kept"] == n_clicks
    assert checked.counts.get("not a click", 0) == n_rows - n_clicks


def test_rows_that_are_no_clicks_are_set_aside_as_they_came(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "recsys_gru"):
        clicks = read_clicks(written(tmp_path, "retailrocket"), format="retailrocket")
    assert "2 of 4 rows are clicks (event is view)" in caplog.text
    rejected = check_clicks(clicks).rejected
    assert rejected.select("user_id", "item_id", "kind", "reason").sort("user_id").rows() == [
        (111016, "318965", "addtocart", "not a click"),
        (599528, "356475", "transaction", "not a click"),
    ]


def test_a_purchase_never_passes_for_a_click_where_the_check_is_left_out(tmp_path: Path) -> None:
    clicks = read_clicks(written(tmp_path, "rees46"), format="rees46")
    with pytest.raises(ClickLogError, match="check_clicks"):
        Sessions.from_events(clicks)


def line_of(name: str, session: int, item: int, second: int, kind: str) -> str:
    """One row in the published form."""
    if name == "retailrocket":
        return f"{1_433_221_332_000 + 1_000 * second},{session},{kind},{item},"
    if name == "otto":
        event = {"aid": item, "ts": 1_659_304_800_000 + 1_000 * second, "type": kind}
        return json.dumps({"session": session, "events": [event]})
    if name == "rees46":
        return f"2019-10-01 00:00:{second:02} UTC,{kind},{item},1,,,1.0,1,s{session}"
    return f"s{session},event_product,{kind},i{item},{1_550_885_210_000 + 1_000 * second},u"


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=15)
@given(data=st.data(), bucket=st.sampled_from([3, 1_000]))
def test_in_published_logs_too_kept_and_rejected_add_up_to_the_rows_read(
    name: str, data: st.DataObject, bucket: int
) -> None:
    kinds = KINDS[name]
    small = st.integers(0, 4)
    drawn = st.tuples(small, small, st.integers(0, 59), st.sampled_from(kinds))
    rows = [(9, 9, 0, kinds[0]), *data.draw(st.lists(drawn, max_size=25))]
    header = "" if name == "otto" else FILES[name][1].splitlines()[0] + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILES[name][0].removesuffix(".gz")
        path.write_text(header + "".join(line_of(name, *row) + "\n" for row in rows))
        clicks, ledger = read_clicks(path, format=name), Ledger()
        checked = check_clicks(clicks, ledger)
        no_clicks = sum(kind != kinds[0] for *_, kind in rows)
        assert checked.counts["read"] == len(rows)
        assert checked.clicks.collect().height + checked.rejected.height == len(rows)
        assert checked.counts.get("not a click", 0) == ledger.removed("not a click") == no_clicks
        recipe = Recipe(test=timedelta(seconds=1), min_support=1, min_length=1)
        try:
            prepared = prepare(clicks, Path(folder) / "out", recipe, rows_per_bucket=bucket)
        except ClickLogError:  # all clicks fell into the test part
            return
        files = (prepared.folder / "quarantine").glob("*.parquet")
        reasons = [reason for file in files for reason in pl.read_parquet(file)["reason"]]
        assert prepared.counts["read"] == len(rows)
        assert (
            len(reasons)
            == prepared.counts["rejected"]
            == len(rows) - prepared.train.n_events - prepared.test.n_events
        )
        assert reasons.count("not a click") == prepared.ledger.removed("not a click") == no_clicks


def test_a_log_of_users_goes_through_its_recipe(tmp_path: Path) -> None:
    lines = [
        f"{1_433_221_332_117 + 600_000 * step + 86_400_000 * day},{user},view,{item},"
        for day in range(9)
        for user in range(5)
        for step, item in enumerate((1, 2, 2, 3))
    ]
    head = "timestamp,visitorid,event,itemid,transactionid\n"
    (tmp_path / "events.csv").write_text(head + "\n".join(lines) + "\n")
    clicks = read_clicks(tmp_path, format="retailrocket")
    recipe = recipe_of("retailrocket")
    prepared = prepare(clicks, tmp_path / "out", recipe)
    assert (recipe.gap, recipe.test) == (timedelta(hours=1), timedelta(days=7))
    assert prepared.ledger.removed("consecutive repeat") == 9 * 5
    assert sorted(prepared.train.lengths) == [2] * 5 + [3] * 5  # the cut goes through the second day
    assert sessionize(clicks, gap=recipe.gap).select(pl.col("session_id").n_unique()).collect().item() == 45


def test_a_track_without_an_id_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "lastfm-timestamp.tsv"
    path.write_text("u\t2009-05-04T23:08:57Z\ta\tName\t\tTitle\nu\t2009-05-04T23:09:57Z\ta\tName\tt\tTitle\n")
    assert check_clicks(read_clicks(path, format="lastfm-1k")).counts["null item_id"] == 1


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "rees46")
    with pytest.raises(SchemaError, match="a coveo file has the columns"):
        read_clicks(path, format="coveo")
    with pytest.raises(ParameterError, match="one of yoochoose, diginetica"):
        read_clicks(path, format="movielens")
    with pytest.raises(ParameterError, match="reads files"):
        read_clicks(pl.DataFrame(), format="otto")
    (tmp_path / "events.csv").write_text("timestamp,visitorid,event,itemid,transactionid\n1,1,cart,1,\n")
    with pytest.raises(ClickLogError, match="none of 1 is"):
        read_clicks(tmp_path / "events.csv", format="retailrocket")
