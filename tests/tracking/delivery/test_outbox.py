"""Records are kept until the store has them, whatever dies, however many write."""

import json
import logging
import os
import signal
from pathlib import Path

import pytest

from recsys_gru import tracking
from recsys_gru.errors import TrackingError
from recsys_gru.tracking.delivery.courier import send_left_over
from recsys_gru.tracking.delivery.desk import Desk
from recsys_gru.tracking.delivery.outbox import Outbox, Target
from recsys_gru.tracking.delivery.records import Ended, Fed, Filed, Logged, Opened, from_line, to_line
from recsys_gru.tracking.delivery.store import EXPERIMENT, connect, experiment_id, store_at
from tests.forks import fork_server
from tests.tracking.helpers import announce_evaluation, announce_fit, runs_of, short_name
from tests.tracking.servers import free_port, mlflow_server

WRITERS, EPOCHS = 3, 25


def write(mlruns: Path, name: str, killed: bool = False) -> None:
    """A run, from a process of its own."""
    with tracking.run(mlruns, name=f"writer {name}") as tracker:
        for epoch in range(EPOCHS):
            tracker.parent.log({"train/loss": epoch, "train/seconds": 1.0}, step=epoch)
        if killed:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_record_survives_being_written_and_read() -> None:
    for record in (
        Opened("t", "a run", 1, {"role": "parent"}, None),
        Logged("t", [("train/loss", 1.5, 2, 3)], {"k": "20"}, {"x": "y"}),
        Fed("t", "shop", "abc", {"events": 3}, "training"),
        Filed("t", "files/x/report.json", ""),
        Ended("t", "FINISHED", 9),
    ):
        again = from_line(to_line(record))
        assert json.loads(to_line(again)) == json.loads(to_line(record))


def test_telling_everything_twice_changes_nothing(mlruns: Path, tmp_path: Path) -> None:
    desk = Desk(store_at(mlruns), folder=tmp_path)
    (tmp_path / "note.txt").write_text("hello")
    records = [
        Opened("t1", "twice", 1, {}, None),
        Logged("t1", [("train/loss", 1.5, 2, 3)], {"k": "20"}, {"x": "y"}),
        Fed("t1", "shop", "abc", {"events": 3}, "training"),
        Filed("t1", "note.txt"),
        Ended("t1", "FINISHED", 9),
    ]
    for record in [*records, *records]:
        record.send(desk)
    run = runs_of(mlruns)["twice"]
    assert len(desk.client.get_metric_history(run.info.run_id, "train/loss")) == 1
    assert run.inputs is not None
    assert len(run.inputs.dataset_inputs) == 1


def test_a_dead_server_costs_a_warning_and_the_records_go_out_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with caplog.at_level(logging.WARNING, "recsys_gru"), tracking.run(uri, name="server was down"):
        announce_evaluation(announce_fit())
    assert "tracking is interrupted" in caplog.text
    assert "they wait in" in caplog.text
    with pytest.raises(TrackingError, match="no MLflow server answers"):
        send_left_over(store_at(uri))
    with mlflow_server(tmp_path / "server", port):
        with tracking.run(uri, name="server is up"):
            announce_fit(epochs=1)
        client = connect(store_at(uri))
        runs = client.search_runs([experiment_id(client, store_at(uri), EXPERIMENT)])
        names = sorted(short_name(run) for run in runs)
        assert names == ["Popularity", "Popularity", "server is up", "server was down"]
        late = next(run for run in runs if "test/mrr_at_20" in run.data.metrics)
        assert len(client.get_metric_history(late.info.run_id, "train/loss")) == 3
        assert "report.json" in {file.path for file in client.list_artifacts(late.info.run_id)}
    assert list((tmp_path / "mlruns" / "outbox").iterdir()) == []


def test_many_processes_at_once_lose_nothing(mlruns: Path) -> None:
    writers = [fork_server().Process(target=write, args=(mlruns, str(number))) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    runs = runs_of(mlruns)
    assert set(runs) == {f"writer {number}" for number in range(WRITERS)}
    client = connect(store_at(mlruns))
    for run in runs.values():
        for name in ("train/loss", "train/seconds"):
            assert len(client.get_metric_history(run.info.run_id, name)) == EPOCHS


def test_what_a_killed_process_left_goes_out_with_the_next_run(mlruns: Path) -> None:
    killed = fork_server().Process(target=write, args=(mlruns, "killed", True))
    killed.start()
    killed.join(120)
    assert killed.exitcode == -signal.SIGKILL
    with tracking.run(mlruns, name="next"):
        pass
    run = runs_of(mlruns)["writer killed"]
    history = connect(store_at(mlruns)).get_metric_history(run.info.run_id, "train/loss")
    assert [point.value for point in history] == list(range(EPOCHS))


def test_the_outbox_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    Outbox.new(tmp_path, Target("sqlite:///x", EXPERIMENT))
    assert list(Outbox.left_over(tmp_path, "sqlite:///x")) == []


def test_an_outbox_for_another_store_is_left_alone(tmp_path: Path) -> None:
    outbox = Outbox.new(tmp_path, Target("sqlite:///x", EXPERIMENT))
    outbox.put(Ended("t", "FINISHED", 1))
    assert outbox.close() == 1
    assert list(Outbox.left_over(tmp_path, "sqlite:///y")) == []
    assert len(list(Outbox.left_over(tmp_path, "sqlite:///x"))) == 1


def test_a_line_cut_short_by_a_crash_is_not_a_record(tmp_path: Path) -> None:
    outbox = Outbox.new(tmp_path, Target("sqlite:///x", EXPERIMENT))
    outbox.put(Ended("t", "FINISHED", 1))
    with (outbox.folder / "records.jsonl").open("a") as file:
        file.write('{"kind": "End')
    assert outbox.pending() == [Ended("t", "FINISHED", 1)]


def test_what_the_store_refuses_is_kept_with_its_reason(
    mlruns: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "recsys_gru"),
        tracking.run(mlruns, name="refused") as tracker,
    ):
        tracker.parent.log({"recall@20": 0.5})
        tracker.parent.log({"test/recall_at_20": 0.5})
    assert "refused a record" in caplog.text
    assert "recall@20" in (mlruns / "outbox" / "refused.jsonl").read_text()
    assert runs_of(mlruns)["refused"].data.metrics == {"test/recall_at_20": 0.5}


def test_an_owner_whose_number_was_given_again_is_not_alive(tmp_path: Path) -> None:
    outbox = Outbox.new(tmp_path, Target("sqlite:///x", EXPERIMENT))
    outbox.folder.rename(tmp_path / f"{os.getpid()}-1-{outbox.folder.name.rpartition('-')[2]}")
    assert len(list(Outbox.left_over(tmp_path, "sqlite:///x"))) == 1
