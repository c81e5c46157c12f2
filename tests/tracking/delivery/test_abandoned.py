"""A process killed with -9 closes nothing: the next one on the machine does, and leaves the living alone."""

from pathlib import Path

from mlflow.entities import Run as MlflowRun

from recsys_gru import tracking
from recsys_gru.tracking.delivery.abandoned import GONE
from recsys_gru.tracking.delivery.process import PROCESS, address, dead
from recsys_gru.tracking.delivery.records import Ended, Logged
from tests.tracking.helpers import announce_fit, client_of, kill, runs_of, short_name, started

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


def test_the_runs_of_a_killed_process_are_marked_killed_by_the_next(mlruns: Path) -> None:
    process = started(FIT, mlruns)
    with tracking.run(mlruns, name="beside"):
        announce_fit(epochs=1)
    statuses = {run.info.run_name: run.info.status for run in all_runs(mlruns)}
    assert statuses["killed"] == "RUNNING", "its process lives"
    kill(process)
    with tracking.run(mlruns, name="next"):
        pass
    found = {short_name(run): run for run in all_runs(mlruns) if run.info.status == "KILLED"}
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


def all_runs(where: Path) -> list[MlflowRun]:
    """Every run."""
    return list(client_of(where).search_runs(["1"]))


def runs_status(where: Path, name: str) -> str:
    """Status of the run of a name."""
    return next(str(run.info.status) for run in all_runs(where) if run.info.run_name == name)
