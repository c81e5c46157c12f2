"""What the settings can ask for besides the usual: lists for sessions, a page, another metric, an alert."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.__main__ import main
from pipelines.errors import BAD_INPUT, DONE, REFUSED
from pipelines.record import COUNTED
from recsys_gru.tracking.store import connect, store_at
from tests.pipelines.nights import DAY, Home

SMALL_GATE: dict[str, object] = {"max_latency_ms": 60000.0, "max_unknown": 1.0, "resamples": 200}


@pytest.fixture
def ready(home: Home) -> Home:
    """A project with all days before taken in."""
    home.take_in_before()
    return home


def ask(home: Home, other: str) -> None:
    """Deliver two open sessions, one on an item of the log and one on another."""
    item = pl.read_parquet(home.settings().input.file(DAY))["item_id"][0]
    (home.folder / "open").mkdir(exist_ok=True)
    (home.folder / "open" / f"{DAY}.csv").write_text(
        f"session_id,item_id,time\n7,{item},2026-01-04T10:00:00\n9,{other},2026-01-04T11:00:00\n"
    )


def lists(home: Home, kind: str) -> pl.DataFrame:
    """What was published."""
    return pl.read_parquet(home.work / "recommendations" / kind, hive_partitioning=True)


def test_lists_for_the_days_own_sessions(ready: Home) -> None:
    ready.configure(recommend={"what": ["items", "sessions"], "k": 3})
    assert ready.run() == DONE
    found = lists(ready, "sessions")
    assert found.columns == ["session_id", "rank", "item_id", "score", "source", "day", "model_version"]
    (test,) = (ready.work / "days" / str(DAY)).glob("sessions-*/test.parquet")
    asked = pl.read_parquet(test)
    assert set(found["session_id"]) == set(asked["session_id"])
    assert found["rank"].max() == 3
    assert found.join(asked, on=["session_id", "item_id"], how="semi").is_empty()  # seen items are left out
    assert set(lists(ready, "items")["model_version"]) == set(found["model_version"]) == {1}


def test_lists_for_sessions_of_a_file(ready: Home) -> None:
    ready.configure(recommend={"what": ["sessions"], "k": 2, "sessions": "open/{day}.csv"})
    assert ready.run() == BAD_INPUT
    assert "expected the sessions to recommend for in" in ready.failure()["why"]
    ask(ready, "no such item")  # in a file whose other items are numbers: unknown to the model, as 999999 is
    assert ready.run() == DONE
    found = lists(ready, "sessions")
    assert found.group_by("session_id").len().sort("session_id")["len"].to_list() == [2, 2]
    assert found.filter(pl.col("session_id") == 9)["source"].unique().to_list() == ["popularity"]


def test_the_page_of_the_challenger_is_written_and_kept_with_the_run(ready: Home) -> None:
    ready.configure(evaluate={"page": True, "baselines": ["Popularity"], "latency_requests": 5})
    assert ready.run() == DONE
    (page,) = (ready.work / "days" / str(DAY)).glob("evaluate-*/report.html")
    assert f"Challenger of {DAY}" in page.read_text()
    assert "report.html" in kept(ready)


def test_the_gate_judges_by_the_metric_of_the_settings(ready: Home) -> None:
    ready.configure(gate={**SMALL_GATE, "metric": "mrr", "k": 10, "margin": 0.5})
    assert ready.run() == DONE
    assert "against the baselines: mrr_at_10 " in ready.decision()["reason"]
    ready.run(DAY + timedelta(days=1))
    said = {check["name"]: check["said"] for check in ready.decision(DAY + timedelta(days=1))["checks"]}
    assert said["against the champion"].startswith("mrr@10 ")


@pytest.mark.parametrize("wanted", [True, False])
def test_a_refusal_is_told_if_that_is_wanted(ready: Home, wanted: bool) -> None:
    said = ready.folder / "said.txt"
    ready.configure(
        alerts={"command": ["tee", str(said)], "on_refusal": wanted},
        gate={**SMALL_GATE, "over_baseline": 1000.0},
    )
    assert ready.run() == REFUSED
    assert said.exists() is wanted
    if wanted:
        assert said.read_text().startswith(f"night of {DAY}: refused: against the baselines: ")


def test_an_alert_that_cannot_be_sent_is_noted_and_stops_nothing(ready: Home) -> None:
    ready.configure(
        alerts={"command": ["false"], "on_refusal": True}, gate={**SMALL_GATE, "min_coverage": 1.0}
    )
    assert ready.run() == REFUSED
    assert "alert not sent" in (ready.work / "log" / f"{DAY}.jsonl").read_text()


def test_a_night_logs_how_long_each_stage_took_and_what_it_counted(ready: Home) -> None:
    assert ready.run() == DONE
    client = connect(store_at(ready.mlruns))
    (run,) = client.search_runs(["1"], f"tags.day = '{DAY}'")
    seconds = {f"stage/{stage}_seconds" for stage in (*COUNTED, "promote")}
    counts = {f"stage/{stage}_{what}" for stage, names in COUNTED.items() for what in names}
    measured = {"test/recall_at_20", "test/mrr_at_20", "baseline/Popularity_recall_at_20"}
    assert seconds | counts | measured <= set(run.data.metrics)
    assert run.data.metrics["stage/ingest_read"] == pl.read_parquet(ready.settings().input.file(DAY)).height
    assert run.data.metrics["stage/recommend_rows"] == lists(ready, "items").height
    assert run.data.tags["gate"].startswith("promoted: ")
    assert "decision.md" in kept(ready)


def test_the_advisor_prints_a_table_and_draws_it(ready: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.run() == DONE
    assert main(["advise", "--day", str(DAY), "--settings", str(ready.file)]) == DONE
    picture = Path(capsys.readouterr().out.rpartition("picture: ")[2].strip())
    assert picture == ready.work / "advice" / f"{DAY}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    table = pl.read_parquet(picture.with_suffix(".parquet"))
    assert table["days"].to_list() == [1, 2]
    assert table.filter("best")["recall"].to_list() == [table["recall"].max()]


def kept(home: Home) -> set[str]:
    """The names of the files with the day's run."""
    client = connect(store_at(home.mlruns))
    (run,) = client.search_runs(["1"], f"tags.day = '{DAY}'")
    return {Path(file.path).name for file in client.list_artifacts(run.info.run_id)}
