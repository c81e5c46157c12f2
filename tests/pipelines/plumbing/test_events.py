"""What is said is a line of JSON for machines, a short line for people."""

import json

import pytest

from pipelines.plumbing.errors import BAD_INPUT
from pipelines.plumbing.events import HumanLines, JsonLines, say
from tests.pipelines.nights import DAY, Home


def test_the_log_has_one_json_object_a_line(home: Home) -> None:
    home.run()
    lines = (home.work / "log" / f"{DAY}.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {"time", "level", "event"} <= set(events[0])
    assert events[-1]["event"] == "failed"
    assert events[-1]["exit_code"] == BAD_INPUT


def test_lines_for_people_are_short(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="pipelines"):
        say("stage done", stage="train", seconds=1.23456, checks=[1, 2])
    assert HumanLines().format(caplog.records[0]).endswith(" train: stage done (seconds 1.235)")
    assert json.loads(JsonLines().format(caplog.records[0]))["checks"] == [1, 2]
