"""Ten days of a real log as nights: one missed and backfilled, one of garbage, a worse model, a rollback."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.backfill import backfill, missed
from pipelines.plumbing.errors import BAD_INPUT, DONE, REFUSED
from pipelines.plumbing.settings import DEFAULT, read_settings
from pipelines.stages.champion import CHAMPION, registry_of
from pipelines.stages.ingest import ingest
from pipelines.status import status
from tests.pipelines.nights import Home, command

pytestmark = pytest.mark.slow
START = date(2020, 6, 16)
DAYS = [START + timedelta(days=step) for step in range(10)]
MISSED, GARBAGE, WORSE = DAYS[4], DAYS[6], DAYS[8]
MODEL: dict[str, object] = {"layers": [32], "n_sample": 256, "batch_size": 32, "n_epochs": 3}
WINDOW: dict[str, object] = {"days": 14}
WORSE_MODEL: dict[str, object] = {"learning_rate": 1e-6, "n_epochs": 1}


def configure(home: Home, **model: object) -> None:
    """A small model and a short window, but the default gate and the default baselines."""
    home.configure(usual=("gate", "evaluate"), model={**MODEL, **model}, window=WINDOW)


@pytest.fixture(scope="module")
def replayed(
    shared: Path, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, dict[date, int]]:
    """The ten nights, and the exit code of each."""
    home = Home(tmp_path_factory.mktemp("bolcom"))
    shutil.copytree(template, home.mlruns)
    configure(home)
    log = pl.read_parquet(shared / "data" / "bolcom.parquet")
    by_day = log.with_columns(day=pl.from_epoch("timestamp").dt.date()).partition_by(
        "day", as_dict=True, include_key=False
    )
    for (day,), clicks in by_day.items():
        if day <= DAYS[-1] and day not in (MISSED, GARBAGE):
            home.land(day, clicks)
    home.land(GARBAGE, by_day[(GARBAGE,)].with_columns(timestamp=pl.lit(None, pl.Int64)))
    for step in range(14, 0, -1):
        ingest(START - timedelta(days=step), home.settings())
    codes = {}
    for day in DAYS:
        configure(home, **(WORSE_MODEL if day == WORSE else {}))
        codes[day] = home.run(day)
    configure(home)
    home.land(MISSED, by_day[(MISSED,)])
    return home, codes


def test_good_days_move_the_champion_and_bad_ones_say_why(
    replayed: tuple[Home, dict[date, int]],
) -> None:
    home, codes = replayed
    assert codes[START] == DONE
    assert codes[MISSED] == codes[GARBAGE] == BAD_INPUT
    assert codes[WORSE] == REFUSED
    assert "against the baselines" in home.decision(WORSE)["reason"]
    assert "no clicks have landed" in home.failure(MISSED)["why"]
    assert "unusable" in home.failure(GARBAGE)["why"]
    assert (home.work / "quarantine" / f"{GARBAGE}.parquet").exists()
    assert "of Markov, must be above" in home.decision(WORSE)["reason"]  # the best of the default baselines
    better = [home.decision(day)["reason"] for day, code in codes.items() if code == DONE and day != START]
    assert len(better) >= 2
    assert all("against the champion: recall@20 " in reason for reason in better)
    assert vars(home.settings().gate) == vars(read_settings(DEFAULT).gate)
    for day, code in codes.items():
        if code != BAD_INPUT:
            assert home.runs(day) == ["FINISHED"]


def test_the_missed_day_is_backfilled_and_leaves_the_champion(
    replayed: tuple[Home, dict[date, int]],
) -> None:
    home, _ = replayed
    settings = home.settings()
    before = registry_of(settings).version_of(CHAMPION)
    assert missed(START, DAYS[-1], settings) == [MISSED, GARBAGE]
    assert backfill(MISSED, MISSED, settings) == {MISSED: REFUSED}
    assert "newer: 2020-06-20 must be after" in home.decision(MISSED)["reason"]
    assert registry_of(settings).version_of(CHAMPION) == before
    assert missed(START, DAYS[-1], settings) == [GARBAGE]
    assert any("2020-06-22" in advice for advice in status(settings)["to_do"])


def test_lists_are_written_for_each_decided_day_with_the_version_that_serves(
    replayed: tuple[Home, dict[date, int]],
) -> None:
    home, codes = replayed
    table = pl.scan_parquet(home.work / "recommendations" / "items", hive_partitioning=True).collect()
    decided = {day for day, code in codes.items() if code != BAD_INPUT}
    assert decided <= set(table["day"].unique())
    assert set(table.columns) == {
        "item_id", "rank", "next_item_id", "score", "source", "day", "model_version",
    }  # fmt: skip
    serving = table.filter(pl.col("day") == WORSE)["model_version"].unique().to_list()
    assert serving == [home.decision(WORSE)["serving"]]
    assert serving != [home.decision(WORSE)["version"]]


def test_rollback_moves_the_alias_to_the_version_before(
    replayed: tuple[Home, dict[date, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    home, _ = replayed
    registry = registry_of(home.settings())
    now = registry.version_of(CHAMPION)
    assert now is not None
    assert command("rollback", "--settings", str(home.file)) == DONE
    assert registry.version_of(CHAMPION) == int(registry.tags(now)["replaces"])
    assert f"in place of version {now}" in capsys.readouterr().out
    assert home.run(DAYS[-1]) == REFUSED  # the backfilled day has changed its window: it is judged again
    assert registry.version_of(CHAMPION) == int(registry.tags(now)["replaces"])
