"""Settings are read strictly, and the command line answers with codes."""

import json
from pathlib import Path

import pytest

from pipelines.command_line import main
from pipelines.nightly import FAILURE
from pipelines.plumbing.errors import BAD_INPUT, DONE, BadInputError
from pipelines.plumbing.events import HumanLines, JsonLines
from pipelines.plumbing.settings import DEFAULT, read_settings
from pipelines.stages.train import challenger_of
from tests.pipelines.nights import DAY, Home


def read(folder: Path, text: str) -> None:
    """Read a settings file of this text."""
    path = folder / "s.toml"
    path.write_text(text)
    read_settings(path)


def test_the_default_file_is_complete_and_its_model_possible() -> None:
    challenger_of(read_settings(DEFAULT))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gat]\nk = 20", r"unknown settings \['gat'\] as sections; known are .*gate"),
        ("[gate]\nkk = 20", r"unknown settings \['kk'\] in \[gate\]; known are .*k, level"),
        ("[gate]\nk = 'many'", "expected gate.k as int, got 'many'"),
        ("[gate]\nk = 7", "expected gate.k among evaluate.cutoffs"),
        ("[gate]\nmax_unknown = 2", "expected gate.max_unknown from 0 to 1"),
        ("[train]\nmode = 'hot'", "expected train.mode among full, warm"),
        ("[window]\ndays = 0", "expected window.days of at least 1"),
        ("[input]\npath = 'a.csv'", "day"),
        ("[model]\nlayers = [8]", "expected the recommender's class"),
        ("gate = 3", r"expected \[gate\] as a table"),
        ("[gate", "cannot read the settings"),
    ],
)
def test_an_unknown_or_impossible_setting_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        read(tmp_path, text)


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
    assert main(["nightly", "--day", str(DAY), "--settings", str(home.file)]) == BAD_INPUT
    assert said in home.failure()["why"]


def test_the_stages_run_one_by_one_and_ask_for_the_one_before(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.take_in_before()
    options = ["--day", str(DAY), "--settings", str(home.file)]
    assert main(["train", *options]) == BAD_INPUT
    assert "recsys-gru stage sessions --day" in home.failure()["why"]
    for stage in ("ingest", "sessions", "train", "evaluate", "promote", "recommend", "nightly"):
        assert main([stage, *options]) == DONE
    assert "| against the baselines | yes |" in capsys.readouterr().out
    assert main(["status", "--json", "--settings", str(home.file)]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert told["serving"].startswith("version 1 of gru4rec, of 2026-01-04, promoted")
    assert main(["advise", "--day", str(DAY), "--settings", str(home.file)]) == DONE
    assert "recall" in capsys.readouterr().out
    backfill = ["backfill", "--first", str(DAY), "--last", str(DAY), "--settings", str(home.file)]
    assert main(backfill) == DONE
    assert capsys.readouterr().out == "missed: none\n"


def test_a_stage_mends_only_its_own_failure(home: Home) -> None:
    home.take_in_before()
    options = ["--day", str(DAY), "--settings", str(home.file)]
    home.configure(model={"class": "GRU4Rec", "layers": [0]})
    assert main(["ingest", *options]) == main(["sessions", *options]) == DONE
    assert main(["train", *options]) == BAD_INPUT
    assert home.failure()["stage"] == "train"
    home.configure()
    assert main(["sessions", *options]) == DONE
    assert main(["nightly", "--dry-run", *options]) == DONE
    assert home.failure()["stage"] == "train"
    assert main(["train", *options]) == DONE
    assert not (home.work / "days" / str(DAY) / FAILURE).exists()


def test_the_log_has_one_json_object_a_line(home: Home) -> None:
    home.run()
    lines = (home.work / "log" / f"{DAY}.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {"time", "level", "event"} <= set(events[0])
    assert events[-1]["event"] == "failed"
    assert events[-1]["exit_code"] == BAD_INPUT


def test_lines_for_people_are_short(caplog: pytest.LogCaptureFixture) -> None:
    from pipelines.plumbing.events import say

    with caplog.at_level("INFO", logger="pipelines"):
        say("stage done", stage="train", seconds=1.23456, checks=[1, 2])
    assert HumanLines().format(caplog.records[0]).endswith("stage done stage=train seconds=1.235")
    assert json.loads(JsonLines().format(caplog.records[0]))["checks"] == [1, 2]


def test_the_alert_gets_the_message(home: Home) -> None:
    said = home.folder / "said.txt"
    home.configure(alerts={"command": ["tee", str(said)]}, input={"path": "nowhere/{day}.csv"})
    assert home.run() == BAD_INPUT
    assert said.read_text().startswith(f"night of {DAY} failed in ingest (exit 2)")
