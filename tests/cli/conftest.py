"""A small click log as a file, and the command line called in a folder of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys_gru.cli import main
from recsys_gru.clicks import generate_clicks

Call = Callable[..., str]
SMALL = ("--param", "n_epochs=2", "--param", "layers=(8,)", "--param", "n_sample=16")


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 800 sessions over 60 items in 8 days."""
    path = tmp_path_factory.mktemp("log") / "shop.csv"
    generate_clicks(n_sessions=800, n_items=60, days=8, seed=3).write_csv(path)
    return path


@pytest.fixture
def call(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Runs a command, where a store of runs stands ready; returns what it printed."""
    shutil.copytree(template, tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "WARNING")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert ended.value.code in (0, None), printed.err
        return printed.out

    return run


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command that must fail; returns its one line of error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr().err.strip()
        assert ended.value.code == 2
        assert "Traceback" not in said
        return said

    return run
