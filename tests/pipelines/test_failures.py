"""Whatever fails, the failure is clear and the champion stays."""

import io
import os
import re
import resource
import sqlite3
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.plumbing.errors import BAD_INPUT, DONE, FAILED, REFUSED, PipelineError
from pipelines.stages.champion import CHAMPION, registry_of
from pipelines.stages.evaluate import evaluate
from pipelines.stages.ingest import ingest
from pipelines.stages.promote import promote
from pipelines.stages.sessions import sessions
from pipelines.stages.train import train
from pipelines.status import page, status
from recsys_gru import GRU4Rec, Recommender
from tests.forks import fork_server
from tests.pipelines.nights import DAY, FIRST, Home

NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def measured(served: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A project with a champion whose next night, with a click on an item never seen, waits for the gate."""
    made = served.copied_to(tmp_path_factory.mktemp("measured"))
    land_something_unknown(made)
    for stage in (ingest, sessions, train, evaluate):
        stage(NEXT, made.settings())
    return made


@pytest.fixture
def waiting(measured: Home, tmp_path: Path) -> Home:
    """The same, of the test's own."""
    return measured.copied_to(tmp_path)


def champion(home: Home) -> int | None:
    """The version that serves."""
    return registry_of(home.settings()).version_of(CHAMPION)


def cramped(folder: Path, size: int) -> None:
    """A night on a disk that takes no file larger than this."""
    sys.stderr = io.StringIO()
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    os._exit(Home(folder).run(NEXT))


def test_running_a_night_twice_changes_nothing(serving: Home, caplog: pytest.LogCaptureFixture) -> None:
    before, served = serving.digests(), champion(serving)
    caplog.clear()
    assert serving.run() == DONE
    assert (serving.digests(), champion(serving)) == (before, served)
    assert serving.runs() == ["FINISHED"]
    assert [record.getMessage() for record in caplog.records].count("stage skipped, it is done") == 7
    assert "stage started" not in caplog.text


@pytest.mark.parametrize("size", [3_000, 40_000])
def test_a_full_disk_fails_clearly_and_the_night_is_made_up(serving: Home, size: int) -> None:
    served = champion(serving)
    process = fork_server().Process(target=cramped, args=(serving.folder, size))
    process.start()
    process.join(120)
    assert process.exitcode == FAILED
    assert re.search("File too large|disk I/O error", serving.failure(NEXT)["why"])
    assert champion(serving) == served
    assert serving.run(NEXT) in (DONE, REFUSED)
    assert serving.runs(NEXT) == ["FINISHED"]


def test_an_unreadable_partition_is_named(serving: Home) -> None:
    served = champion(serving)
    path = serving.work / "clicks" / f"day={FIRST + timedelta(days=2)}" / "clicks.parquet"
    path.write_bytes(path.read_bytes()[:200])
    assert serving.run(NEXT) == FAILED
    assert champion(serving) == served
    assert "2026-01-03" in serving.failure(NEXT)["why"]
    assert "2026-01-05 failed in sessions" in page(status(serving.settings()))


def test_a_corrupt_champion_stops_the_night_and_stays(serving: Home) -> None:
    served = champion(serving)
    for path in (serving.mlruns / "artifacts").rglob("weights.safetensors"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert serving.run(NEXT) == FAILED
    assert champion(serving) == served
    assert "weights.safetensors is damaged" in serving.failure(NEXT)["why"]
    assert any("recsys-gru rollback --settings" in advice for advice in status(serving.settings())["to_do"])


def test_a_tracking_server_that_is_down_stops_the_night_before_training(serving: Home) -> None:
    served = champion(serving)
    serving.configure(tracking={"where": "http://127.0.0.1:9"})
    assert serving.run(NEXT) == FAILED
    assert "no MLflow server answers" in serving.failure(NEXT)["why"]
    assert not list((serving.work / "days" / str(NEXT)).glob("train-*"))
    assert "not known" in page(status(serving.settings()))
    serving.configure()
    assert champion(serving) == served
    assert serving.run(NEXT) in (DONE, REFUSED)


def test_a_store_that_breaks_in_the_night_leaves_the_champion(serving: Home) -> None:
    served = champion(serving)
    with sqlite3.connect(serving.mlruns / "mlflow.db") as database:
        database.execute(
            "CREATE TRIGGER no BEFORE INSERT ON model_versions BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
    database.close()
    assert serving.run(NEXT) == FAILED
    with sqlite3.connect(serving.mlruns / "mlflow.db") as database:
        database.execute("DROP TRIGGER no")
    database.close()
    assert champion(serving) == served
    assert serving.runs(NEXT) == ["FAILED"]
    assert serving.run(NEXT) in (DONE, REFUSED)
    assert serving.runs(NEXT) == ["FINISHED"]


def test_a_day_with_too_few_clicks_is_refused_as_suspicious(serving: Home) -> None:
    served = champion(serving)
    path = serving.settings().input.file(NEXT)
    kept = pl.read_parquet(path).sort("session_id", "time")
    serving.land(NEXT, kept.head(kept.height // 3))
    assert serving.run(NEXT) == REFUSED
    assert champion(serving) == served
    assert "volume" in serving.decision(NEXT)["reason"]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({"max_latency_ms": 0.0}, "latency"),
        ({"min_coverage": 1.0}, "coverage"),
        ({"max_unknown": 0.0}, "unknown clicks"),
        ({"over_baseline": 1000.0}, "against the baselines"),
        ({"fresher": False}, "against the champion"),
    ],
)
def test_each_guard_rail_refuses_and_says_so(waiting: Home, gate: dict[str, object], said: str) -> None:
    served = champion(waiting)
    waiting.configure(gate={"max_latency_ms": 60000.0, "max_unknown": 1.0, "resamples": 200, **gate})
    assert waiting.run(NEXT) == REFUSED
    assert champion(waiting) == served
    assert said in waiting.decision(NEXT)["reason"]


def land_something_unknown(home: Home) -> None:
    """Add clicks on an item that was never seen."""
    clicks = pl.read_parquet(home.settings().input.file(NEXT))
    home.land(NEXT, pl.concat([clicks, clicks.head(3).with_columns(item_id=pl.lit(999, pl.Int64))]))


def test_clicks_of_another_day_are_not_taken_in(home: Home) -> None:
    home.land(DAY, pl.read_parquet(home.settings().input.file(FIRST)))
    assert home.run() == BAD_INPUT
    assert "of other days" in home.failure()["why"]
    assert not (home.work / "clicks").exists()


def test_a_warm_start_goes_on_from_the_champion(serving: Home) -> None:
    serving.configure(train={"mode": "warm", "warm_epochs": 1, "checkpoint_every": 10})
    assert serving.run(NEXT) in (DONE, REFUSED)
    (mark,) = (serving.work / "days" / str(NEXT)).glob("train-*/done.json")
    assert f'"base": {1}' in mark.read_text()
    before = serving.digests()
    assert serving.run(NEXT) in (DONE, REFUSED)
    assert serving.digests() == before


def test_a_dry_run_does_nothing(home: Home) -> None:
    from pipelines import nightly

    assert nightly.run_night(DAY, replace(home.settings(), dry_run=True)) == DONE
    assert not (home.work / "days").exists()
    assert not (home.work / "clicks").exists()


def test_an_alias_moved_while_a_day_is_measured_has_it_measured_again(waiting: Home) -> None:
    settings = waiting.settings()
    registry_of(settings).promote(registry_of(settings).register(challenger(waiting)), "by hand")
    with pytest.raises(PipelineError, match="evaluate of 2026-01-05 is not done"):
        promote(NEXT, settings)
    assert waiting.run(NEXT) in (DONE, REFUSED)
    assert waiting.decision(NEXT)["rival"] == 2


def challenger(home: Home) -> Recommender:
    """The model that was trained for the next day."""
    (folder,) = (home.work / "days" / str(NEXT)).glob("train-*/model")
    return GRU4Rec.load(folder)
