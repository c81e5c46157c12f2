"""The command line answers with codes, and says in a line what is wrong."""

import json

import pytest

from pipelines import command_line, status
from pipelines.nightly import FAILURE
from pipelines.plumbing.errors import BAD_INPUT, DONE
from pipelines.plumbing.settings import DEFAULT
from pipelines.stages import STAGES
from recsys_gru.cli.app import app
from recsys_gru.cli.nightly import COMMANDS
from tests.pipelines.nights import DAY, Home, command


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"layer": [8]}, "GRU4Rec knows layers"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0"),
        ({"class": "GRU5Rec"}, "expected the name of a recommender"),
    ],
)
def test_an_impossible_model_is_refused_before_anything_runs(
    home: Home, model: dict[str, object], said: str
) -> None:
    home.configure(model={"class": "GRU4Rec", **model})
    assert command("nightly", "--day", str(DAY), "--settings", str(home.file)) == BAD_INPUT
    assert said in home.failure()["why"]


def test_the_stages_run_one_by_one_and_ask_for_the_one_before(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.take_in_before()
    options = ["--day", str(DAY), "--settings", str(home.file)]
    assert command("train", *options) == BAD_INPUT
    assert "recsys-gru stage sessions --day" in home.failure()["why"]
    for words in ([], ["stage"]):
        for stage in STAGES:
            assert command(*words, stage, *options) == DONE
    assert command("nightly", *options) == DONE
    assert "| against the baselines | yes |" in capsys.readouterr().out
    assert command("status", "--json", "--settings", str(home.file)) == DONE
    told = json.loads(capsys.readouterr().out)
    assert told["serving"].startswith("version 1 of gru4rec, of 2026-01-04, promoted")
    assert command("advise", "--day", str(DAY), "--settings", str(home.file)) == DONE
    assert "recall" in capsys.readouterr().out
    backfill = ["backfill", "--first", str(DAY), "--last", str(DAY), "--settings", str(home.file)]
    assert command(*backfill) == DONE
    assert capsys.readouterr().out == "missed: none\n"


def test_a_stage_mends_only_its_own_failure(home: Home) -> None:
    home.take_in_before()
    options = ["--day", str(DAY), "--settings", str(home.file)]
    home.configure(model={"class": "GRU4Rec", "layers": [0]})
    assert command("ingest", *options) == command("sessions", *options) == DONE
    assert command("train", *options) == BAD_INPUT
    assert home.failure()["stage"] == "train"
    home.configure()
    assert command("sessions", *options) == DONE
    assert command("nightly", "--dry-run", *options) == DONE
    assert home.failure()["stage"] == "train"
    assert command("train", *options) == DONE
    assert not (home.work / "days" / str(DAY) / FAILURE).exists()


@pytest.mark.parametrize(
    "words",
    [
        ("stage", "dream"),
        ("nightly", "--day", "tomorrow"),
        ("backfill",),
        ("status", "--port", "1"),
        ("status", "--settings", "nowhere.toml"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_line(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words) == BAD_INPUT
    said = capsys.readouterr().err
    assert "Error: " in said or said.startswith("python -m pipelines: cannot read the settings")


def test_ctrl_c_is_not_mistaken_for_a_refusal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> dict[str, object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "status", interrupted)
    assert command("status", "--settings", str(home.file)) == command_line.INTERRUPTED


def test_the_schedule_asks_for_dagster_where_it_is_missing(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "find_spec", lambda _: None)
    assert command("schedule", "--settings", str(home.file)) == BAD_INPUT
    assert "pip install 'recsys-gru[pipelines]'" in capsys.readouterr().err


def test_the_default_settings_are_printed_to_begin_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("settings") == DONE
    assert capsys.readouterr().out == DEFAULT.read_text()


def test_the_command_line_of_the_library_has_the_same_commands() -> None:
    told = {name: command.get_short_help_str(99) for name, command in command_line.app.commands.items()}
    assert told == {command.name: command.get_short_help_str(99) for command in COMMANDS}
    assert set(told) < set(app.commands)
