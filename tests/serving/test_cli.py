"""`recsys-gru serve`: what it refuses before it listens."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from recsys_gru.cli.app import app
from recsys_gru.errors import InputError, ParameterError


def test_without_a_model_it_says_what_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, kind, said in (
        ([], InputError, "recsys-gru demo makes it"),
        (["nothing"], InputError, "saved model"),
        (["nothing", "--sessions", "somewhere"], ParameterError, "redis://"),
        (["nothing", "--workers", "2", "--sessions", "memory"], ParameterError, "Redis"),
    ):
        found = CliRunner().invoke(app, ["serve", *words])
        assert isinstance(found.exception, kind), found
        assert said in str(found.exception)


def test_without_its_libraries_it_says_what_brings_them(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from recsys_gru.cli import main; main(['serve', sys.argv[1]])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert "pip install 'recsys-gru[serve]'" in found.stderr


def test_the_service_is_not_loaded_with_the_package() -> None:
    code = "import sys, recsys_gru, recsys_gru.cli, recsys_gru.serving; print('starlette' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"
