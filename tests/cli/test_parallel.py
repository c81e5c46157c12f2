"""`fit --parallel` under torchrun: where a process is killed all go on, and nothing is learned twice."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import recsys_gru as rg
from tests.cli.conftest import Call

PARAMETERS = [
    word
    for setting in ("layers=(8,)", "batch_size=16", "n_sample=32", "n_epochs=12", "device=cpu")
    for word in ("--param", setting)
]


def torchrun(*words: object) -> subprocess.Popen[str]:
    """A command in two processes, started again once if one of them dies."""
    place = Path(sys.executable)
    run = [place.with_name("torchrun"), "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    return subprocess.Popen(
        [str(word) for word in (*run, "--no-python", place.with_name("recsys-gru"), *words)],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def kill_second(parent: int) -> None:
    """Kill -9 the process of rank 1."""
    (second,) = [one for one in psutil.Process(parent).children() if one.environ().get("RANK") == "1"]
    second.kill()


def test_killed_in_the_middle_torchrun_starts_it_again_and_it_ends_as_one_process_does(
    log: Path, call: Call
) -> None:
    saving = ("--param", "checkpoint_dir=checkpoints", "--parallel", "exact")
    with torchrun("fit", log, *PARAMETERS, *saving) as running:
        while not Path("checkpoints/checkpoint").exists():
            assert running.poll() is None, running.communicate()
            time.sleep(0.005)
        kill_second(running.pid)
        said, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    assert said.count("fitting ") == 2
    assert said.count("saved in model/") == 1
    call("fit", log, *PARAMETERS, "--model", "GRU4Rec", "--out", "alone")
    of_two, of_one = (dict(rg.GRU4Rec.load(name).network_.parameters()) for name in ("model", "alone"))
    for name, values in of_one.items():
        np.testing.assert_allclose(of_two[name], values, rtol=1e-5, atol=1e-6)


def test_one_of_several_must_be_told_how_to_train(
    log: Path, refused: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "say --parallel fast, exact or divided" in refused("fit", log)


def test_outside_of_torchrun_it_says_how_to_start(log: Path, refused: Call) -> None:
    assert "start it by torchrun" in refused("fit", log, "--parallel", "fast")
