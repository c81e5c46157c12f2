"""The wheel: all files are in it, and where only it is installed, help answers and a night runs."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.plumbing.errors import BAD_INPUT
from pipelines.plumbing.settings import DEFAULT
from pipelines.plumbing.workshop import code_fingerprint
from tests.pipelines.nights import DAY, Home

ROOT = Path(__file__).resolve().parents[1]
Call = Callable[..., str]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools would put into it what an earlier build has left in the checkout."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("built")
    for name in ("recsys_gru", "pipelines"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(built)]
    subprocess.run([*build, str(copy)], check=True)
    (made,) = built.glob("recsys_gru-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and click, and no other package."""
    place = tmp_path_factory.mktemp("clean")
    venv.create(place)
    install = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", str(wheel)], check=True)
    subprocess.run([*install, "-c", str(ROOT / "constraints.txt"), "click"], check=True)
    return place


@pytest.fixture
def call(installed: Path, tmp_path: Path) -> Call:
    """Runs a program of the environment in an empty folder; returns what it printed."""
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(program: str, *words: object, code: int = 0) -> str:
        command = [str(installed / "bin" / program), *map(str, words)]
        done = subprocess.run(
            command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr[-3000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture
def equipped(installed: Path) -> None:
    """The other packages of this environment are there too, but not its checkout.

    A folder that a .pth file names has its own .pth files left alone, the editable checkout's among them.
    """
    (site,) = (installed / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_paths()["purelib"])


def test_every_file_of_the_library_and_of_the_pipelines_is_in_it(wheel: Path) -> None:
    homes = {ROOT / "recsys_gru": "recsys_gru", ROOT / "pipelines": "recsys_gru/pipelines"}
    expected = {
        f"{name}/{path.relative_to(home).as_posix()}"
        for home, name in homes.items()
        for path in home.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"recsys_gru/py.typed", "recsys_gru/pipelines/settings.toml"} < expected
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.startswith("recsys_gru/")} == expected


def test_help_needs_nothing_but_click(call: Call) -> None:
    said = call("recsys-gru", "--help")
    assert "click log" in said
    assert "nightly" in said
    assert "--day" in call("recsys-gru", "nightly", "--help")
    assert "pip install 'recsys-gru[pipelines]'" in call("recsys-gru", "schedule", code=BAD_INPUT)


@pytest.mark.usefixtures("equipped")
def test_a_night_runs_where_only_the_wheel_is_installed(call: Call, installed: Path, tmp_path: Path) -> None:
    code = "from recsys_gru.pipelines.plumbing.workshop import code_fingerprint, recsys_gru as rg"
    place, fingerprint = call(
        "python", "-c", f"{code}; print(rg.__file__); print(code_fingerprint())"
    ).split()
    assert place.startswith(str(installed))
    assert fingerprint == code_fingerprint()
    assert call("recsys-gru", "settings") == DEFAULT.read_text()
    assert str(tmp_path / "landing") in call("recsys-gru", "stage", "ingest", "--dry-run", code=BAD_INPUT)
    home = Home(tmp_path)
    home.land_generated()
    home.configure(usual=("model",), model={"class": "Markov"})
    home.take_in_before()
    words = ("--day", DAY, "--settings", home.file)
    assert "dry run: ingest of" in call("recsys-gru", "nightly", "--dry-run", *words)
    assert "| against the baselines | yes |" in call("recsys-gru", "nightly", *words)
    assert "version 1 of gru4rec, of 2026-01-04" in call("recsys-gru", "status", *words[2:])
    assert not home.lists("items").is_empty()
