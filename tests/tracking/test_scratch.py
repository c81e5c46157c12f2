"""Copies of models on their way to the registry do not stay for good."""

import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from recsys_gru import Popularity, generate_clicks
from recsys_gru.tracking import Registry
from recsys_gru.tracking.scratch import CODE, PREFIX, scratch

KILLED = """
import os, signal
from recsys_gru.tracking.scratch import scratch
with scratch() as folder:
    (folder / "model").write_text("large")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_is_removed_by_the_next(home: Path) -> None:
    said = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False).stdout
    left = Path(said.strip())
    assert (left / "model").exists()
    with scratch() as folder:
        assert not left.exists()
        assert folder.parent == home
    assert not list(home.iterdir())


def test_folders_of_living_processes_of_other_machines_and_of_others_stay(home: Path) -> None:
    node = platform.node()
    staying = [home / f"{PREFIX}-elsewhere-1-1-abc", home / f"{PREFIX}-thesis", home / "other"]
    link = home / f"{PREFIX}-{node}-1-1-abc"
    for folder in staying:
        folder.mkdir()
    (home / "other" / "thesis.tex").write_text("years of work")
    link.symlink_to(home / "other")
    with scratch() as mine, scratch() as another:
        assert mine.exists()
        assert another.exists()
        assert mine.stat().st_mode & 0o77 == 0
    assert all(folder.exists() for folder in staying)
    assert (home / "other" / "thesis.tex").exists()


def test_an_error_in_the_block_leaves_nothing(home: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch() as folder:
        (folder / "nowhere" / "model").write_text("large")
    assert not list(home.iterdir())


def test_code_that_was_loaded_for_a_model_is_forgotten(mlruns: Path) -> None:
    store, model = Registry(mlruns), Popularity().fit(generate_clicks(50, 9, 2))
    store.register(model)  # the first loads what MLflow itself needs
    paths, modules = list(sys.path), set(sys.modules)
    store.register(model)
    assert sys.path == paths
    assert not [name for name in set(sys.modules) - modules if name.startswith(CODE)]
