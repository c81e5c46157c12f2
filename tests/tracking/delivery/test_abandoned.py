"""A process killed with -9 closes nothing: the next one on the machine does, and leaves the living alone."""

import signal
import subprocess
import sys
from pathlib import Path

from mlflow.entities import Run as MlflowRun

from recsys_gru import tracking
from recsys_gru.tracking.delivery.abandoned import GONE, PROCESS
from recsys_gru.tracking.delivery.process import address, dead
from recsys_gru.tracking.delivery.records import Ended, Logged
from recsys_gru.tracking.tuning import Search, give_up_dead_trials, open_study
from tests.tracking.helpers import announce_fit, client_of, runs_of

FIT = """
import sys, time
from recsys_gru import tracking
from recsys_gru.observers import fitting
from tests.tracking.helpers import SESSIONS, client_of, fitted
model = fitted()
with tracking.run(sys.argv[1], name="killed"), fitting(model, SESSIONS):
    client = client_of(sys.argv[1])
    while client.get_experiment_by_name("recsys-gru") is None:
        time.sleep(0.1)
    while len(client.search_runs(["1"], "attributes.status = 'RUNNING'")) < 2:
        time.sleep(0.1)
    print("both runs are open", flush=True)
    sys.stdin.read()
"""
TRIAL = """
import sys
from recsys_gru.tracking.delivery.abandoned import PROCESS
from recsys_gru.tracking.delivery.process import address
from recsys_gru.tracking.tuning import Search, open_study
from pathlib import Path
study = open_study(Search("ItemKNN", study="s"), Path(sys.argv[1]))
study.enqueue_trial({"x": 0.25})
trial = study.ask()
trial.set_user_attr(PROCESS, address())
trial.suggest_float("x", 0.0, 1.0)
print("at work", flush=True)
sys.stdin.read()
"""


def started(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process that has printed its line and now waits."""
    call = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    """With -9, and wait until it is gone."""
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_the_runs_of_a_killed_process_are_marked_killed_by_the_next(mlruns: Path) -> None:
    process = started(FIT, mlruns)
    with tracking.run(mlruns, name="beside"):
        announce_fit(epochs=1)
    statuses = {run.info.run_name: run.info.status for run in all_runs(mlruns)}
    assert statuses["killed"] == "RUNNING", "its process lives"
    kill(process)
    with tracking.run(mlruns, name="next"):
        pass
    found = {run.info.run_name: run for run in all_runs(mlruns) if run.info.status == "KILLED"}
    assert set(found) == {"killed", "Popularity"}
    assert all(run.data.tags["error"] == GONE and run.info.end_time for run in found.values())
    assert runs_status(mlruns, "beside") == runs_status(mlruns, "next") == "FINISHED"


def test_a_run_of_another_machine_is_left_alone(mlruns: Path) -> None:
    with tracking.run(mlruns, name="far away") as tracker:
        tracker.parent.log(tags={PROCESS: "another-machine/1-1"})
    run = runs_of(mlruns)["far away"]
    client_of(mlruns).update_run(run.info.run_id, status="RUNNING")
    with tracking.run(mlruns, name="next"):
        pass
    assert runs_status(mlruns, "far away") == "RUNNING"
    assert not dead("another-machine/1-1")
    assert dead(f"{address().rpartition('/')[0]}/1-1")


def test_a_run_opened_again_under_its_ticket_runs_again_and_ends(mlruns: Path) -> None:
    for name in ("first", "second"):
        with tracking.lasting_run(mlruns, name=name, ticket="t") as run:
            assert runs_status(mlruns, "first") == "RUNNING"
            run.send(Logged("t", tags={"seen": name}))
            run.send(Ended("t", "KILLED", 1))
    found = runs_of(mlruns)["first"]
    assert found.info.status == "FINISHED"
    assert found.data.tags["seen"] == "second"


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


def all_runs(where: Path) -> list[MlflowRun]:
    """Every run."""
    return list(client_of(where).search_runs(["1"]))


def runs_status(where: Path, name: str) -> str:
    """Status of the run of a name."""
    return next(str(run.info.status) for run in all_runs(where) if run.info.run_name == name)
