"""One study worked on by several processes, and one that was killed: real processes of the command line."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from optuna import get_all_study_names
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from recsys_gru.clicks import generate_clicks
from recsys_gru.tracking.tuning import Search, give_up_dead_trials, open_study
from tests.tracking.helpers import client_of, kill, started

CALL = (sys.executable, "-c", "from recsys_gru.cli import main; main()", "tune", "shop.parquet")
PATIENCE = 240
TRIAL = """
import sys
from recsys_gru.tracking.delivery import PROCESS, address
from recsys_gru.tracking.tuning import Search, give_up_dead_trials, open_study
from pathlib import Path
study = open_study(Search("ItemKNN", study="s"), Path(sys.argv[1]))
study.enqueue_trial({"x": 0.25})
trial = study.ask()
trial.set_user_attr(PROCESS, address())
trial.suggest_float("x", 0.0, 1.0)
print("at work", flush=True)
sys.stdin.read()
"""
SMALL = ("--param", "layers=(8,)", "--param", "n_sample=8", "--param", "n_epochs=2")


def tune(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """Begin `recsys-gru tune` in a folder with a small log."""
    log = folder / "shop.parquet"
    if not log.exists():
        generate_clicks(n_sessions=600, n_items=50, days=8, seed=3).write_parquet(log)
    given = [str(argument) for argument in arguments]
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [*CALL, *given],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def states(folder: Path, study: str) -> Counter[str]:
    """How many trials of the study are in which state."""
    file = JournalFileBackend(str(folder / "mlruns" / "optuna.log"))
    (name,) = (name for name in get_all_study_names(JournalStorage(file)) if name.startswith(f"{study} "))
    return Counter(trial.state.name for trial in open_study(Search("", study=name), folder / "mlruns").trials)


@pytest.mark.slow
def test_two_processes_share_one_study(tmp_path: Path, mlruns: Path) -> None:
    asked = ("--model", "ItemKNN", "--trials", 8, "--study", "shared")
    both = [tune(tmp_path, *asked, "--seed", seed, "--out", f"model{seed}") for seed in (1, 2)]
    said = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    found = states(tmp_path, "shared")
    assert found["COMPLETE"] == found.total()
    assert 8 <= found.total() <= 9, "each process may be at work on one trial when the last one is finished"
    numbers = [line.split(":")[0] for text in said for line in text.splitlines() if line.startswith("trial ")]
    assert sorted(numbers) == sorted(f"trial {number}" for number in range(found.total()))
    runs = client_of(mlruns).search_runs(["1"], "tags.role = 'trial'")
    assert sorted(int(run.data.tags["trial"]) for run in runs) == list(range(found.total()))


@pytest.mark.slow
def test_a_killed_search_goes_on(tmp_path: Path, mlruns: Path) -> None:
    asked = (*SMALL, "--trials", 4, "--study", "killed")
    first = tune(tmp_path, *asked)
    assert first.stdout is not None
    # a trial's line comes a moment before its result is stored: the second line says that the first is
    before = next(line for line in first.stdout if line.startswith("trial 1"))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL, before
    ended = states(tmp_path, "killed")
    assert 1 <= ended["COMPLETE"] + ended["PRUNED"] < 4
    second = tune(tmp_path, *asked)
    said, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, said
    assert "trial 0" not in said
    found = states(tmp_path, "killed")
    assert found["COMPLETE"] + found["PRUNED"] == 4
    assert (tmp_path / "model" / "manifest.json").exists()
    assert mlruns.joinpath("mlflow.db").exists()


def test_the_trial_of_a_killed_process_fails_and_its_parameters_are_tried_again(tmp_path: Path) -> None:
    process = started(TRIAL, tmp_path)
    study = open_study(Search("ItemKNN", study="s"), tmp_path)
    give_up_dead_trials(study)
    assert [trial.state.name for trial in study.trials] == ["RUNNING"]
    kill(process)
    give_up_dead_trials(study)
    give_up_dead_trials(study)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "WAITING"]
    assert study.ask().suggest_float("x", 0.0, 1.0) == 0.25
