"""A new model takes over while requests are answered; one that cannot serve changes nothing."""

import http.client
import json
import os
import shutil
import signal
import threading
import time
import weakref
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import psutil
import pytest

from recsys_gru import Markov, Recommender
from recsys_gru.errors import RecsysError
from recsys_gru.serving import Settings, exchange
from recsys_gru.serving.app import loaded_models
from recsys_gru.serving.sources import source_of
from recsys_gru.tracking import Registry
from tests.serving.running import Here, Process, process, running, wait_for
from tests.tracking.servers import free_port, mlflow_server, standing_still

WATCH = 0.05


def version_of(service: Here) -> str:
    found: str = service.ask("GET", "/readyz").body["models"]["main"]["version"]
    return found


def publish(home: Path, number: int, model: Path) -> None:
    """As the job `fresh` does: a folder, then the pointer, renamed into place."""
    shutil.copytree(model, home / "versions" / f"{number:06}" / "model")
    aside = home / "aside"
    aside.write_text(json.dumps({"version": number, "base": 1, "path": f"versions/{number:06}"}))
    aside.replace(home / "current.json")


def test_no_request_fails_while_models_take_over_under_load(
    folder: Path, other: Path, tmp_path: Path
) -> None:
    publish(tmp_path, 1, folder)
    seen: list[tuple[int, str]] = []
    end = threading.Event()

    def ask(service: Here) -> None:
        while not end.is_set():
            reply = service.recommend(items=[100, 101], k=3)
            seen.append((reply.status, reply.body.get("model_version", "")))

    with running(Settings(str(tmp_path / "current.json"), port=0, watch=WATCH)) as service:
        askers = [threading.Thread(target=ask, args=(service,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        for number in range(2, 8):
            publish(tmp_path, number, (folder, other)[number % 2])
            wait_for(lambda number=number: version_of(service) == f"fresh-{number}")  # type: ignore[misc]
        end.set()
        for asker in askers:
            asker.join()
        assert service.figure("swaps_total") == 6
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} >= {f"fresh-{number}" for number in range(1, 6)}


def test_a_model_that_cannot_serve_changes_nothing_and_is_told(
    folder: Path, other: Path, tmp_path: Path
) -> None:
    publish(tmp_path, 1, folder)
    with running(Settings(str(tmp_path / "current.json"), port=0, watch=WATCH)) as service:
        before = service.recommend(items=[100]).body
        publish(tmp_path, 2, folder)
        weights = tmp_path / "versions" / "000003" / "model" / "weights.safetensors"
        shutil.copytree(folder, weights.parent)
        spoiled = bytearray(weights.read_bytes())
        spoiled[-1] ^= 1
        weights.write_bytes(spoiled)
        (tmp_path / "current.json").write_text(json.dumps({"version": 3, "path": "versions/000003"}))
        wait_for(
            lambda: (
                "fresh-3 cannot serve" in str(service.ask("GET", "/readyz").body["models"]["main"]["trouble"])
            )
        )
        ready = service.ask("GET", "/readyz")
        assert (ready.status, ready.body["ready"]) == (200, True)
        assert service.figure("swaps_total") >= 1
        now = service.recommend(items=[100]).body
        assert now["items"] == before["items"]
        (tmp_path / "current.json").write_text("nothing")
        wait_for(
            lambda: "names no version" in service.ask("GET", "/readyz").body["models"]["main"]["trouble"]
        )
        publish(tmp_path, 4, other)
        wait_for(lambda: version_of(service) == "fresh-4")
        assert service.ask("GET", "/readyz").body["models"]["main"]["trouble"] is None


def test_a_session_goes_on_with_the_items_that_the_new_model_knows(
    clicks: pl.DataFrame, tmp_path: Path
) -> None:
    Markov().fit(clicks.filter(pl.col("item_id") != 105)).save(tmp_path / "model")
    with running(Settings(str(tmp_path / "model"), port=0, watch=WATCH, sessions="memory")) as service:
        old, first = version_of(service), weakref.ref(service.service.places["main"].served.model)
        service.click("s", 105)
        assert service.click("s", 104).body["unknown"] == 1
        Markov().fit(clicks).save(tmp_path / "model")
        wait_for(lambda: version_of(service) != old)
        reply = service.recommend(session_id="s").body
        assert (reply["known"], reply["unknown"]) == (2, 0)
        wait_for(lambda: first() is None)  # nothing holds the old one


def test_an_alias_of_the_registry_is_followed(
    model: Recommender, clicks: pl.DataFrame, template: Path, tmp_path: Path
) -> None:
    where = shutil.copytree(template, tmp_path / "mlruns")
    registry = Registry(where)
    first, second = registry.register(model), registry.register(Markov().fit(clicks))
    registry.point("champion", first)
    with running(
        Settings("models:/gru4rec@champion", tracking_uri=str(where), port=0, watch=WATCH)
    ) as service:
        assert version_of(service) == f"gru4rec-{first}"
        registry.point("champion", second)
        wait_for(lambda: version_of(service) == f"gru4rec-{second}")
        assert service.recommend(items=[100]).body["model_version"] == f"gru4rec-{second}"


@pytest.mark.slow
def test_a_store_that_stands_still_holds_up_neither_answers_nor_the_end(
    model: Recommender, clicks: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "SLOW", 0.3)
    port = free_port()
    with mlflow_server(tmp_path / "server", port) as uri:
        registry = Registry(uri)
        first, second = registry.register(model), registry.register(Markov().fit(clicks))
        registry.point("champion", first)
        settings = Settings("models:/gru4rec@champion", tracking_uri=uri, port=0, watch=WATCH)
        with ExitStack() as until_the_end, running(settings) as service:
            with standing_still(port):
                wait_for(lambda: "no answer for" in str(service.ask("GET", "/readyz").body))
                assert service.ask("GET", "/readyz").status == 200
                assert {service.recommend(items=[100]).status for _ in range(50)} == {200}
            registry.point("champion", second)
            wait_for(lambda: version_of(service) == f"gru4rec-{second}")
            assert service.ask("GET", "/readyz").body["models"]["main"]["trouble"] is None
            until_the_end.enter_context(standing_still(port))
            time.sleep(3 * WATCH)  # it asks again, and waits when it is to end
            began = time.monotonic()
        assert time.monotonic() - began < 20


def test_without_a_model_that_answers_nothing_is_started(
    folder: Path, template: Path, tmp_path: Path
) -> None:
    store = shutil.copytree(template, tmp_path / "mlruns")
    for model, said in (
        (str(tmp_path / "none"), "expected the folder of a saved model"),
        ("models:/nothing@champion", "alias champion"),
        (str(tmp_path), "manifest"),
    ):
        with pytest.raises((RecsysError, OSError), match=said):
            loaded_models(Settings(model, tracking_uri=str(store)))
    assert source_of(str(folder), "mlruns").version().startswith("gru-")


@pytest.mark.slow
def test_of_two_workers_one_is_killed_and_a_model_taken_over_and_only_its_connections_break(
    folder: Path, other: Path, tmp_path: Path
) -> None:
    publish(tmp_path, 1, folder)
    statuses: list[int] = []
    end = threading.Event()

    def ask(service: Process) -> None:
        while not end.is_set():
            try:
                statuses.append(service.recommend(items=[100, 101], k=3).status)
            except (ConnectionError, http.client.HTTPException):
                statuses.append(0)

    def versions(service: Process) -> set[str]:
        return {service.recommend(items=[100]).body["model_version"] for _ in range(40)}

    with process(tmp_path / "current.json", "--workers", "2", "--watch", str(WATCH)) as service:
        askers = [threading.Thread(target=ask, args=(service,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        workers = [one.pid for one in psutil.Process(service.process.pid).children() if is_worker(one)]
        assert len(workers) == 2
        wait_for(lambda: len(statuses) > 200)
        publish(tmp_path, 2, other)
        os.kill(workers[0], signal.SIGKILL)
        wait_for(lambda: versions(service) == {"fresh-2"})
        so_far = len(statuses)
        wait_for(lambda: len(statuses) > so_far + 400)
        end.set()
        for asker in askers:
            asker.join()
        assert service.kill(signal.SIGTERM) in (0, -signal.SIGTERM)
    assert set(statuses) <= {0, 200}
    assert statuses.count(0) <= 40  # what the killed one had taken up: connections of its own backlog too
    assert 0 not in statuses[-300:]


def is_worker(process: psutil.Process) -> bool:
    """Whether it serves; Python has a helper beside."""
    return "resource_tracker" not in " ".join(process.cmdline())
