"""A log or a folder that is missing, or in the wrong place, is said before anything is written."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Call

NEED_A_LOG = (("fit",), ("describe",), ("prepare",), ("tune",), ("evaluate", "model"))


def nothing_written(folder: Path) -> bool:
    """The folder the command ran in is as it was."""
    return not list(folder.iterdir())


@pytest.mark.parametrize("command", NEED_A_LOG)
def test_only_demo_and_compare_make_a_log_up(refused: Call, tmp_path: Path, command: tuple[str, ...]) -> None:
    said = refused(*command)
    assert f"write recsys-gru {command[0]}" in said
    assert "Only demo and compare make one up" in said
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("command", [*NEED_A_LOG, ("recommend", "model"), ("demo",), ("compare",)])
def test_a_log_that_is_not_there_is_said_before_anything_is_written(
    refused: Call, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert "nowhere.csv" in refused(*command, "nowhere.csv")
    assert nothing_written(tmp_path)


def test_neither_log_nor_items_is_said_before_the_model_is_looked_for(refused: Call) -> None:
    assert "got neither" in refused("recommend", "model")


def test_a_column_that_is_not_there_leaves_no_folder(refused: Call, log: Path, tmp_path: Path) -> None:
    for command in ("describe", "prepare"):
        assert "sku" in refused(command, log, "--item", "sku")
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("command", ["evaluate", "recommend"])
def test_the_log_before_the_model_is_named_as_the_wrong_order(
    call: Call, refused: Call, log: Path, command: str
) -> None:
    call("fit", log, "--model", "Popularity")
    said = refused(command, log, "model")
    assert "got the saved model in model" in said
    assert re.search(rf"write recsys-gru {command} \[OPTIONS\] FOLDER \[?CLICKS", said)
    assert f"got the file {log}: write" in refused(command, log, log)


def test_a_model_that_is_not_there_is_said_with_how_to_make_one(refused: Call, log: Path) -> None:
    said = refused("evaluate", "nothing", log)
    assert "there is no such folder: recsys-gru fit CLICKS --out nothing makes one" in said


@pytest.mark.parametrize("command", ["fit", "tune"])
def test_a_place_that_cannot_take_the_model_is_said_before_training(
    refused: Call, log: Path, tmp_path: Path, command: str
) -> None:
    taken, photos = tmp_path / "taken", tmp_path / "photos"
    taken.write_text("a file")
    photos.mkdir()
    (photos / "cat.jpg").write_text("a picture")
    assert "is a file" in refused(command, log, "--out", taken)
    assert "is no folder" in refused(command, log, "--out", taken / "model")
    assert "holds files but no saved model" in refused(command, log, "--out", photos)
    assert not (tmp_path / "mlruns").exists()


def test_a_list_that_cannot_be_written_is_said_first(refused: Call, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    said = refused("recommend", "model", "--items", "1", "--out", tmp_path / "taken" / "lists.csv")
    assert "cannot write" in said
