"""What is said is a line of JSON for machines, a short line for people."""

import json
import sys

import pytest

from pipelines.plumbing.errors import BAD_INPUT, DONE, FAILED
from pipelines.plumbing.events import HumanLines, JsonLines, say
from tests.pipelines.nights import DAY, Home, command


def test_the_log_has_one_json_object_a_line(home: Home) -> None:
    home.run()
    lines = (home.work / "log" / f"{DAY}.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {"time", "level", "event"} <= set(events[0])
    assert events[-1]["event"] == "failed"
    assert events[-1]["exit_code"] == BAD_INPUT


def test_a_terminal_sees_lines_and_why_it_failed_but_no_json_and_no_traceback(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.take_in_before()
    capsys.readouterr()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    home.configure(tracking={"where": "http://127.0.0.1:9"})
    assert home.run() == FAILED
    home.configure()
    assert command("stage", "ingest", "--day", str(DAY), "--settings", str(home.file)) == DONE
    said = capsys.readouterr().err
    assert "start: failed (exit code 3): TrackingError: no MLflow server answers at" in said
    assert "ingest: stage done (seconds " in said
    assert "read 891, kept 891" in said
    assert "{" not in said
    assert "Traceback" not in said
    assert "Traceback" in (home.work / "log" / f"{DAY}.jsonl").read_text()


def test_lines_for_people_are_short(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="pipelines"):
        say("stage done", stage="train", seconds=1.23456, checks=[1, 2])
    assert HumanLines().format(caplog.records[0]).endswith(" train: stage done (seconds 1.235)")
    assert json.loads(JsonLines().format(caplog.records[0]))["checks"] == [1, 2]
