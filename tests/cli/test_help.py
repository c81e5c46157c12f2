"""Help with examples that are right, words completed, and what a bug report should say."""

import json
import shlex
from pathlib import Path

import click
import pytest

from pipelines import command_line
from recsys_gru import __version__
from recsys_gru.cli import main
from recsys_gru.cli.app import app
from recsys_gru.cli.nightly import COMMANDS
from tests.cli.conftest import Call

OWN = {name: command for name, command in app.commands.items() if command not in COMMANDS}
EVERY = {**OWN, **command_line.app.commands}


def test_every_command_is_looked_at() -> None:
    assert set(EVERY) == set(app.commands)


@pytest.mark.parametrize("name", EVERY)
def test_the_examples_of_a_command_are_calls_of_it(name: str) -> None:
    command = EVERY[name]
    context = click.Context(command, info_name=name)
    shown = command.get_help(context).partition("Examples:\n")[2]
    lines = [shlex.split(line.partition(" > ")[0]) for line in shown.splitlines()]
    assert lines
    for program, called, *words in lines:
        assert (program, called) == ("recsys-gru", name)
        options, rest, _ = command.make_parser(context).parse_args([*words])
        for option in command.params:
            given = options.get(str(option.name))
            if isinstance(given, str) and not isinstance(option.type, click.Path):
                option.type_cast_value(context, given)
        assert not rest


def test_words_are_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_RECSYS_GRU_COMPLETE", "bash_complete")
    for typed, completed in (
        ("recsys-gru ex", "plain,export"),
        ("recsys-gru export a b --fo", "plain,--format"),
    ):
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
        with pytest.raises(SystemExit):
            main([])
        assert completed in capsys.readouterr().out.split()


def test_the_doctor_tells_what_a_bug_report_needs(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mlruns" / "more").write_bytes(bytes(3_000_000))
    told = json.loads(call("doctor", "--json"))
    assert told["machine"]["recsys-gru"] == __version__
    assert set(told["libraries"].values()) & {None} == set()
    assert told["threads"]["threads used"] >= 1
    assert told["threads"]["OMP_NUM_THREADS"] == "1"
    assert {"kept in", "writable", "files"} <= set(told["compiled loops"])
    assert told["store"]["at"] == str(tmp_path / "mlruns")
    assert told["store"]["MB"] > 3
    assert told["store"]["free disk, MB"] > 0
    said = call("doctor")
    assert f"  recsys-gru           {__version__}\n" in said
    assert "  writable             yes\n" in said


def test_the_doctor_shows_no_password_and_asks_no_server(call: Call) -> None:
    told = json.loads(call("doctor", "--json", "--tracking-uri", "postgresql://shop:secret@nowhere/runs"))
    assert told["store"] == {"at": "postgresql://shop:***@nowhere/runs"}
