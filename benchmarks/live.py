"""The whole circle over HTTP: `python -m benchmarks.live LOG --start MOMENT [--end MOMENT] [--every 1h]`.

A model of everything before START serves. Every later click is sent to the service, in the order of the log
and in accelerated time; the service writes it down and answers. When a period is over, `fresh` takes the
service's own files in, learns and publishes, and no click is sent before the service has taken the new
version over. What is counted are the answers really given: was the next click of the session in the list that
it was given last? Sessions that go on in the new period are given a new list when its version serves, as a
page is that is loaded anew; how it would be with the lists of the clicks alone is told too. Beside it what
`prequential` reckons without a service on the same clicks, learning and frozen. Prints JSON.
"""

import argparse
import copy
import http.client
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import torch

import recsys_gru as rg
from pipelines.fresh.job import run_fresh
from pipelines.plumbing.periods import Period, length_of, period_at
from pipelines.plumbing.settings import Settings, read_settings
from pipelines.plumbing.versions import current, fresh_folder
from recsys_gru.tracking import Registry

Id: TypeAlias = int | str
Lists: TypeAlias = dict[Id, tuple[set[Id], set[Id]]]
"""By session the items that it was shown last, and those that answered its last click."""
Shared: TypeAlias = Any
"""A number shared with another process."""
K = 20
AFTER = 5.0
"""Seconds after a period's end at which it is learned: the service has closed its file by then."""
PATIENCE = 600.0
RULES: dict[str, object] = {
    "max_latency_ms": 60_000.0, "latency_requests": 5, "min_coverage": 0.0, "against_nightly": 0.0,
    "against_before": 0.0,
}  # fmt: skip
"""Of `fresh`: the guard lets everything pass, as prequential does."""


@dataclass
class Told:
    """What came back: clicks that another of their session went before, those that had been in the list given
    last, and in the one given for the click before; how many lists were asked for without a click."""

    events: int = 0
    hits: int = 0
    hits_before: int = 0
    asked_again: int = 0
    unknown: int = 0
    seconds: float = 0.0
    versions: set[str] = field(default_factory=set)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--start", type=datetime.fromisoformat, required=True, help="2017-10-09T12:00, UTC")
    parser.add_argument("--end", type=datetime.fromisoformat, help="the end of the log if not given")
    parser.add_argument("--every", default="1h")
    parser.add_argument("--askers", type=int, default=4, help="connections that clicks are sent over")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clicks = rg.check_clicks(rg.read_clicks(asked.log)).clicks.lazy().collect()
    start, end = (asked.start.replace(tzinfo=UTC), (asked.end or datetime(9999, 1, 1)).replace(tzinfo=UTC))
    model = rg.GRU4Rec(**rg.RECOMMENDED).fit(clicks.filter(pl.col("time") < start))
    stream = clicks.filter(pl.col("time").is_between(start, end, closed="left"))
    with tempfile.TemporaryDirectory() as folder:
        found = compared(model, stream, start, asked.every, Path(folder), asked.askers)
    print(json.dumps(found, indent=1))


def compared(
    model: rg.GRU4Rec, stream: pl.DataFrame, start: datetime, every: str, home: Path, askers: int = 4
) -> dict[str, float]:
    """Recall of the answers given over HTTP, beside that reckoned without a service.

    Args:
        stream: the clicks to send, all of them from `start` on.
        home: an empty folder, or one with an MLflow store in `mlruns`.
    """
    length = length_of(every)
    frozen = rg.prequential(model, stream, length, start, learn=False, cutoffs=(K,))
    learns = rg.prequential(copy.deepcopy(model), stream, length, start, cutoffs=(K,))
    settings = prepared(model, start, every, home)
    told = replayed(stream, length, settings, askers)
    return {
        "events": told.events,
        "recall_over_http": told.hits / told.events,
        "recall_of_the_last_clicks_lists": told.hits_before / told.events,
        "recall_prequential": learns.recall[K],
        "recall_frozen": frozen.recall[K],
        "asked_again": told.asked_again,
        "events_prequential": learns.events,
        "unknown_clicks": told.unknown,
        "versions": len(told.versions),
        "seconds_of_answers": told.seconds,
    }


def prepared(model: rg.GRU4Rec, start: datetime, every: str, home: Path) -> Settings:
    """A project whose champion is the model, already the fresh version too."""
    parameters = {name: value for name, value in model.parameters().items() if value is not None}
    sections: dict[str, dict[str, object]] = {
        "work": {"folder": "work"},
        "tracking": {"where": "mlruns"},
        "model": {"class": "GRU4Rec"} | parameters,
        "fresh": RULES | {"every": every, "path": "clicks/{period}.csv", "epochs": model.n_epochs},
    }
    lines = [
        line
        for name, keys in sections.items()
        for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
    ]
    (home / "nightly.toml").write_text("\n".join(lines))
    settings = read_settings(home / "nightly.toml")
    registry = Registry(home / "mlruns")
    registry.promote(registry.register(model), "the model to begin with")
    before = period_at(moment_after(model), length_of(every))
    (home / "clicks").mkdir()
    if before.end <= start:  # a quiet piece of the period in which the model's last click is
        (home / "clicks" / f"{before.name}.csv").write_text("session_id,item_id,time\n")
    learn(settings, start)
    return settings


def moment_after(model: rg.GRU4Rec) -> datetime:
    """Right after the last click that a model has learned."""
    last = 0 if model.span_ is None else model.span_[1]
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=last + 1)


def learn(settings: Settings, at: datetime) -> int:
    """Run the job between the nights; returns the number of the version that serves."""
    code = run_fresh(settings, at)
    version = current(settings)
    assert code == 0, f"fresh ended with {code}"
    assert version is not None
    return version.number


def replayed(stream: pl.DataFrame, length: timedelta, settings: Settings, askers: int) -> Told:
    """Send every click, learn after each period, and count."""
    told = Told()
    home = settings.work.folder.parent
    moment, process, port = started(fresh_folder(settings) / "current.json", home / "clicks", length)
    lists: Lists = {}
    try:
        periods = stream.sort("time", maintain_order=True).with_columns(start=pl.col("time").map_elements(
            lambda time: period_at(time, length).start, return_dtype=pl.Datetime("us", "UTC")
        ))  # fmt: skip
        last = dict(periods.group_by("session_id").agg(pl.col("start").max()).iter_rows())
        for (start,), clicks in periods.group_by("start", maintain_order=True):
            assert isinstance(start, datetime)
            period = Period(start, length)
            with moment.get_lock():
                moment.value = max(moment.value, start.timestamp())
            send(clicks, port, moment, lists, told, askers)
            moment.value = period.end.timestamp() + AFTER
            wait_for(lambda period=period: (home / "clicks" / f"{period.name}.csv").exists())  # type: ignore[misc]
            number = learn(settings, period.end)
            wait_for(lambda number=number: version_of(port) == f"fresh-{number}")  # type: ignore[misc]
            ask_again([session for session in lists if last[session] > start], port, lists, told)
    finally:
        process.terminate()
        process.join()
    return told


def send(
    clicks: pl.DataFrame,
    port: int,
    moment: Shared,
    lists: Lists,
    told: Told,
    askers: int,
) -> None:
    """Send a period's clicks: those of a session one after the other, sessions side by side."""
    rows = clicks.select("session_id", "item_id", "time").rows()
    lock = threading.Lock()
    failed: list[BaseException] = []

    def ask(mine: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            for session, item, at in rows:
                if hash(str(session)) % askers != mine:
                    continue
                moment.value = max(moment.value, at.timestamp())
                began = time.perf_counter()
                answer = click(connection, session, item, at)
                took = time.perf_counter() - began
                with lock:
                    count(told, lists, session, item, answer, took)
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in range(askers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def ask_again(sessions: list[Id], port: int, lists: Lists, told: Told) -> None:
    """Ask for a new list for each of these sessions, without a click."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for session in sessions:
        body = {"session_id": str(session), "k": K, "exclude_seen": False}
        answer = answered(connection, "/v1/recommend", body)
        lists[session] = {one["item_id"] for one in answer["items"]}, lists[session][1]
        told.asked_again += 1
    connection.close()


def click(connection: http.client.HTTPConnection, session: Id, item: Id, at: datetime) -> dict[str, Any]:
    """The service's answer to a click."""
    path = f"/v1/sessions/{session}/clicks?k={K}&exclude_seen=false"
    return answered(connection, path, {"item_id": item, "time": at.isoformat()})


def answered(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a POST; it must be one."""
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    reply = connection.getresponse()
    content: dict[str, Any] = json.loads(reply.read())
    assert reply.status == 200, content
    return content


def count(
    told: Told,
    lists: Lists,
    session: Id,
    item: Id,
    answer: dict[str, Any],
    took: float,
) -> None:
    """Was it in the list before; and remember the new list."""
    if session in lists:
        newest, before = lists[session]
        told.events += 1
        told.hits += item in newest
        told.hits_before += item in before
    listed = {one["item_id"] for one in answer["items"]}
    lists[session] = listed, listed
    told.unknown += answer["unknown"]
    told.seconds += took
    told.versions.add(answer["model_version"])


def started(pointer: Path, folder: Path, length: timedelta) -> tuple[Shared, SpawnProcess, int]:
    """A service in a process of its own, whose clock is ours: the shared moment, the process, its port."""
    context = multiprocessing.get_context("spawn")
    moment, port = context.Value("d", time_of(folder)), context.Value("i", 0)
    every = (
        f"{length // timedelta(minutes=1)}min"
        if length < timedelta(hours=1)
        else f"{length // timedelta(hours=1)}h"
    )
    process = context.Process(target=_serve, args=(str(pointer), folder, every, moment, port))
    process.start()
    wait_for(lambda: port.value > 0 or not process.is_alive())
    assert process.is_alive(), "the service did not start"
    return moment, process, port.value


def time_of(folder: Path) -> float:
    """The end of the last period that stands in a log."""
    names = sorted(path.stem for path in folder.glob("*.csv"))
    form = "%Y-%m-%dT%H" if names[-1].count("-") == 2 else "%Y-%m-%dT%H-%M"
    return datetime.strptime(names[-1], form).replace(tzinfo=UTC).timestamp()


def _serve(pointer: str, folder: Path, every: str, moment: Shared, port: Shared) -> None:
    """The service: as `recsys-gru serve`, but for its clock."""
    from uvicorn import Server

    from recsys_gru.serving import Settings as Served
    from recsys_gru.serving.app import application
    from recsys_gru.serving.server import config_of

    torch.set_num_threads(1)
    told = Served(
        pointer,
        port=0,
        sessions="memory",
        session_ttl=1e6,
        session_items=1000,
        clicks=folder,
        every=every,
        watch=0.2,
    )
    server = Server(config_of(told, application(told, clock=lambda: float(moment.value))))

    def announce() -> None:
        while not server.started:
            time.sleep(0.05)
        port.value = server.servers[0].sockets[0].getsockname()[1]

    threading.Thread(target=announce, daemon=True).start()
    server.run()


def version_of(port: int) -> str:
    """The version that serves."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/readyz")
    found: str = json.loads(connection.getresponse().read())["models"]["main"]["version"]
    connection.close()
    return found


def wait_for(holds: Callable[[], bool]) -> None:
    """Come back when it holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
