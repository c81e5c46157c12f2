"""After a rollback nothing shows what the bad model made, and nothing says that it serves."""

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.plumbing.errors import DONE, FAILED, REFUSED
from pipelines.stages.champion import CHAMPION, registry_of
from pipelines.status import page, status
from tests.pipelines.nights import DAY, SMALL_GATE, Home, command

NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def promoted_twice(served: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two promoted nights."""
    made = served.copied_to(tmp_path_factory.mktemp("promoted"))
    made.configure(gate={**SMALL_GATE, "margin": 1.0})
    assert made.run(NEXT) == DONE
    assert current(made) == {"day": str(NEXT), "model_version": 2}
    return made


@pytest.fixture
def rolled_back(promoted_twice: Home, tmp_path: Path) -> Home:
    """The second of them is rolled back."""
    made = promoted_twice.copied_to(tmp_path)
    assert command("rollback", "--settings", str(made.file)) == DONE
    return made


def current(home: Home) -> dict[str, object]:
    """What readers are pointed to; the file is there and bears that version."""
    found: dict[str, object] = json.loads((home.work / "recommendations" / "current.json").read_text())[
        "items"
    ]
    path = home.work / "recommendations" / str(found.pop("path"))
    assert pl.read_parquet_metadata(path)["model_version"] == str(found["model_version"])
    return found


def test_the_newest_lists_are_those_of_the_version_that_serves(rolled_back: Home) -> None:
    assert current(rolled_back) == {"day": str(NEXT), "model_version": 1}
    lists = rolled_back.lists("items")
    assert set(lists["model_version"]) == {1}
    assert lists["day"].n_unique() == 2
    assert not list((rolled_back.work / "scratch").glob("*"))


def test_a_rerun_says_that_the_model_was_rolled_back(
    rolled_back: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "2026-01-05  rolled back" in page(status(rolled_back.settings()))
    capsys.readouterr()
    for _ in range(2):
        assert command("nightly", "--day", str(NEXT), "--settings", str(rolled_back.file)) == REFUSED
        assert "version 2 was rolled back to version 1" in capsys.readouterr().out
    assert "2026-01-05  refused" in page(status(rolled_back.settings()))
    assert current(rolled_back) == {"day": str(NEXT), "model_version": 1}
    assert registry_of(rolled_back.settings()).version_of(CHAMPION) == 1
    assert rolled_back.runs(NEXT) == ["FINISHED"]


def test_a_version_that_is_put_back_into_use_counts_as_promoted_again(rolled_back: Home) -> None:
    assert command("rollback", "--to", "2", "--settings", str(rolled_back.file)) == DONE
    assert current(rolled_back) == {"day": str(NEXT), "model_version": 2}
    assert rolled_back.run(NEXT) == DONE


def test_lists_follow_a_champion_that_was_moved_by_others(rolled_back: Home) -> None:
    registry_of(rolled_back.settings()).point(CHAMPION, 2)
    rolled_back.run(NEXT)
    assert current(rolled_back) == {"day": str(NEXT), "model_version": 2}


def test_a_lost_registry_is_no_beginning(rolled_back: Home, capsys: pytest.CaptureFixture[str]) -> None:
    settings = rolled_back.settings()
    client = registry_of(settings)._client
    client.delete_registered_model_alias(settings.tracking.model, CHAMPION)
    capsys.readouterr()
    newest = NEXT + timedelta(days=1)
    assert rolled_back.run(newest) == FAILED
    assert "the registry was lost" in rolled_back.failure(newest)["why"]
    assert "rollback --to 1" in rolled_back.failure(newest)["why"]
    assert not list((rolled_back.work / "days" / str(newest)).glob("train-*"))
    assert command("rollback", "--to", "1", "--settings", str(rolled_back.file)) == DONE
    assert rolled_back.run(newest) in (DONE, REFUSED)
    client.delete_registered_model(settings.tracking.model)
    assert rolled_back.run(newest) == FAILED
    words = ("nightly", "--anew", "--day", str(newest), "--settings", str(rolled_back.file))
    assert command(*words) == DONE
    assert registry_of(settings).version_of(CHAMPION) == 1
    assert current(rolled_back) == {"day": str(newest), "model_version": 1}
