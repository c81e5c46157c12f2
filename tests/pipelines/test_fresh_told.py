"""What is told of the periods to machines: the alias in MLflow, the metrics, the check of the status."""

from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pandas as pd
import polars as pl
import pytest

from pipelines.fresh import alias
from pipelines.fresh.learn import asked_of
from pipelines.fresh.measure import fresh_metrics_file
from pipelines.plumbing.errors import BAD_INPUT, DONE, FAILED, REFUSED
from pipelines.plumbing.periods import length_of, period_at
from pipelines.plumbing.versions import fresh_folder, kept
from pipelines.stages.champion import registry_of
from pipelines.status import fallen_behind, page, status
from recsys_gru import load
from recsys_gru.tracking.delivery import store_at
from tests.pipelines.hours import FRESH, MODEL, at, copied, fresh, landed, registered, serving
from tests.pipelines.nights import Home, command


@pytest.fixture
def home(begun_day: Home, tmp_path: Path) -> Home:
    """A project with a champion and the landed periods of a day."""
    return copied(begun_day, tmp_path / "home")


def test_the_version_is_loaded_by_its_alias_and_old_ones_go_with_their_files(home: Home) -> None:
    settings = home.configure(model=MODEL, fresh={**FRESH, "register": True})
    folders = home.mlruns / "artifacts" / "models"
    before = set(folders.iterdir()) if folders.exists() else set()
    assert fresh(home, 6, 12, 18, 24) == [DONE] * 4
    assert sorted(registered(home).values()) == [str(one.number) for one in kept(settings)] == ["3", "4"]
    assert len(set(folders.iterdir()) - before) == 2
    registry = registry_of(settings)
    version = registry.version_of(alias.FRESH)
    assert version is not None
    assert registry.tags(version)["fresh.until"] == at(24).isoformat()
    assert registry.version_of("champion") == 1
    mlflow.set_tracking_uri(store_at(home.mlruns).uri)
    try:
        served = mlflow.pyfunc.load_model(f"models:/gru4rec@{alias.FRESH}")
        (answer,) = served.predict(pd.DataFrame({"items": [[1, 2]]}), params={"k": 5})
    finally:
        mlflow.set_tracking_uri("")
    assert answer["items"] == load(serving(home).model).recommend_one([1, 2], 5)["item_id"].to_list()
    registry.point("champion", min(registered(home)))  # whoever does that wants it to stay
    registry.keep_only("role", "fresh", "fresh.seal", set())
    assert len(registered(home)) == 2  # one as the champion, one under its own alias
    registry.point("champion", 1)
    registry.point(alias.FRESH, 1)  # as if a run had been killed before it could
    assert fresh(home, 24) == [DONE]
    assert registry.version_of(alias.FRESH) == version
    assert len(registered(home)) == 2


def test_versions_that_are_counted_anew_are_not_taken_for_earlier_ones(home: Home) -> None:
    settings = home.configure(model=MODEL, fresh={**FRESH, "register": True})
    assert fresh(home, 6) == [DONE]
    (first,) = registered(home)
    fresh_folder(settings).rename(home.folder / "lost")
    (home.folder / "landing" / f"{at(0):%Y-%m-%dT%H}.parquet").unlink()
    clicks = landed(home, at(6)).head(50)
    clicks.with_columns(time=pl.col("time") - pl.duration(hours=6)).write_parquet(
        home.folder / "landing" / f"{at(0):%Y-%m-%dT%H}.parquet"
    )
    assert fresh(home, 6) == [DONE]
    (second,) = registered(home)
    assert first != second
    assert registry_of(settings).version_of(alias.FRESH) == second


def test_a_registry_that_does_not_take_it_stops_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.configure(model=MODEL, fresh={**FRESH, "register": True})
    monkeypatch.setattr(alias, "MANIFEST", "not there.json")
    assert fresh(home, 6) == [DONE]
    assert serving(home).number == 1
    assert registered(home) == {}
    monkeypatch.undo()
    assert fresh(home, 6) == [DONE]
    assert list(registered(home).values()) == ["1"]


def metrics(home: Home) -> dict[str, float]:
    """The samples of the file by name and labels; every line is one, or says what follows."""
    lines = fresh_metrics_file(home.settings()).read_text().splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("# ")]
    assert len({name for name, _, _ in samples}) == len(samples)
    return {name: float(value) for name, _, value in samples}


def test_the_metrics_tell_what_was_learned_and_a_failure_keeps_the_last_success(home: Home) -> None:
    assert fresh(home, 6) == [DONE]
    found, (row,) = metrics(home), serving(home).ledger()
    youngest = landed(home, at(0))["time"].max()
    assert isinstance(youngest, datetime)
    name = "recsys_gru_fresh_"
    assert found[f"{name}youngest_click_timestamp_seconds"] == youngest.timestamp()
    assert found[f"{name}until_timestamp_seconds"] == at(6).timestamp()
    assert found[f'{name}recall{{model="fresh",k="20"}}'] == row["recall"]
    assert found[f'{name}recall{{model="nightly",k="20"}}'] == row["nightly_recall"]
    assert found[f'{name}clicks{{kind="learned"}}'] == row["learned"] > 0
    assert found[f'{name}clicks{{kind="late"}}'] == found[f"{name}unbalanced_periods"] == 0
    assert found[f'{name}version{{role="base"}}'] == found[f'{name}version{{role="fresh"}}'] == 1
    assert found[f"{name}run_seconds"] > found[f"{name}learning_seconds"] > 0
    good = found[f"{name}last_success_timestamp_seconds"]
    home.configure(model=MODEL, fresh={**FRESH, "min_coverage": 1.0})
    assert fresh(home, 12) == [REFUSED]
    assert metrics(home)[f"{name}last_exit_code"] == REFUSED
    again = metrics(home)[f"{name}last_success_timestamp_seconds"]
    assert again > good
    (home.folder / "landing" / f"{at(6):%Y-%m-%dT%H}.parquet").write_bytes(b"junk")
    assert fresh(home, 12) == [BAD_INPUT]
    found = metrics(home)
    assert found[f"{name}last_exit_code"] == BAD_INPUT
    assert found[f"{name}last_success_timestamp_seconds"] == again
    assert found[f"{name}until_timestamp_seconds"] == at(6).timestamp()


def test_the_check_says_that_the_job_has_fallen_behind(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["status", "--check", "--days", "100000", "--settings", str(home.file)]
    assert fallen_behind(status(home.settings())) is None  # not in use yet
    assert fresh(home, 6) == [DONE]
    assert command(*options) == FAILED
    said = capsys.readouterr().err
    assert "no night has run yet" in said
    assert "fresh has learned until 2026-01-04 06:00:00+00:00, " in said
    assert "periods have ended since; 3 are allowed: does it run?" in page(status(home.settings()))
    past = (datetime.now(UTC) - at(6)) // length_of("6h")
    for allowed, behind in ((past + 10, False), (past - 10, True), (0, False)):
        home.configure(model=MODEL, fresh={**FRESH, "max_behind": allowed})
        assert (fallen_behind(status(home.settings())) is not None) is behind


def test_a_large_catalogue_is_asked_about_a_share_of_the_sessions_whole_and_evenly(home: Home) -> None:
    period = period_at(at(6), length_of("6h"))
    events = pl.concat([landed(home, at(0)), landed(home, at(6))])
    events = events.filter(pl.col("time").max().over("session_id") >= period.start)  # as the store gives them
    inside = events.filter(pl.col("time") >= period.start)
    settings = home.configure(model=MODEL, fresh={**FRESH, "min_events": 20, "max_scores": 1})
    asked = asked_of(events, period, 60, settings)
    assert 20 <= asked.filter(pl.col("time") >= period.start).height <= inside.height / 2
    whole = events.filter(pl.col("session_id").is_in(asked["session_id"].unique().implode()))
    assert asked.sort("session_id", "time").equals(whole.sort("session_id", "time"))
    first, last = asked["time"].min(), asked["time"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    assert last - first > period.every / 2
    enough = home.configure(model=MODEL, fresh={**FRESH, "max_scores": 60 * inside.height})
    assert asked_of(events, period, 60, enough) is events
