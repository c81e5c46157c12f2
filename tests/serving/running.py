"""A service that really runs: in a thread of the test or as a process, asked over real connections."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from uvicorn import Server

from recsys_gru.serving import Settings
from recsys_gru.serving.app import application
from recsys_gru.serving.server import config_of
from recsys_gru.serving.service import Service
from tests.tracking.servers import free_port

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]


class Reply(NamedTuple):
    """An answer over HTTP; the body as JSON where it is some."""

    status: int
    body: Any
    headers: dict[str, str]


class Client:
    """Asks a service on this machine, one connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send JSON, or bytes as they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if sent is not None:
            told = {"content-type": "application/json"} | told
        with closing(connection):
            connection.request(method, path, sent, told)
            answer = connection.getresponse()
            content = answer.read()
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        found = json.loads(content) if is_json and content else content.decode()
        return Reply(answer.status, found, {name.lower(): value for name, value in answer.headers.items()})

    def recommend(self, **asked: object) -> Reply:
        return self.ask("POST", "/v1/recommend", asked)

    def click(self, session: str, item: object, query: str = "", **more: object) -> Reply:
        return self.ask("POST", f"/v1/sessions/{session}/clicks{query}", {"item_id": item, **more})

    def figure(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.ask("GET", "/metrics").body.splitlines()
        mine = [
            line for line in lines if line.partition(" ")[0].partition("{")[0] == f"recsys_gru_serving_{name}"
        ]
        return sum(float(line.rpartition(" ")[2]) for line in mine)


class Here(Client):
    """A service in a thread of this process."""

    service: Service


@contextmanager
def running(settings: Settings, clock: Callable[[], float] = time.time) -> Iterator[Here]:
    """The service, until the block is left."""
    app = application(settings, clock)
    server = Server(config_of(settings, app))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started or not thread.is_alive())
        assert server.started
        client = Here(server.servers[0].sockets[0].getsockname()[1])
        client.service = app.state.service
        yield client
    finally:
        server.should_exit = True
        thread.join()


class Process(Client):
    """A service as a process of its own."""

    def __init__(self, port: int, process: "subprocess.Popen[str]") -> None:
        super().__init__(port)
        self.process = process

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal to it and wait for its end."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def process(*words: str | Path, before: Callable[[], None] | None = None) -> Iterator[Process]:
    """`recsys-gru serve` with these words; killed when the block is left."""
    command = [sys.executable, "-c", "from recsys_gru.cli import main; main()", "serve", "--port", "0"]
    child = subprocess.Popen(
        [*command, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=before,
    )
    try:
        assert child.stdout is not None
        said = child.stdout.readline()
        assert said.startswith("serving on http://127.0.0.1:"), said
        found = Process(int(said.split()[2].rstrip("/").rpartition(":")[2]), child)
        wait_for(lambda: is_ready(found))
        yield found
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


@contextmanager
def redis_in(place: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The address of a server that was started, and its process."""
    port = free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(place)]
    with listening("redis-server", words, port) as server:
        yield f"redis://127.0.0.1:{port}", server


@contextmanager
def balancer_of(ports: Sequence[int], place: Path) -> Iterator[Client]:
    """The service behind HAProxy, as the deployed file has it, with replicas at these ports."""
    port, file = free_port(), place / "haproxy.cfg"
    told = (ROOT / "pipelines" / "deploy" / "haproxy.cfg").read_text()
    for usual, now in zip((8000, 8001, 8002), (port, *ports), strict=True):
        told = told.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{now}")
    file.write_text(told)
    with listening("haproxy", ["-q", "-f", str(file)], port):
        yield Client(port)


@contextmanager
def listening(program: str, words: Sequence[str], port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A program of the system's, from when it takes connections at the port to the end of the block."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"NO {program.upper()}: expected {program} on PATH: make system")
    child = subprocess.Popen([found, *words], stdout=subprocess.DEVNULL)

    def answers() -> bool:
        assert child.poll() is None, f"{program} ended with {child.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    try:
        wait_for(answers)
        yield child
    finally:
        child.kill()
        child.wait()


def is_ready(client: Client) -> bool:
    """Whether it says so."""
    try:
        return client.ask("GET", "/readyz").status == 200
    except OSError:
        return False


def wait_for(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Come back when something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
