"""Real MLflow servers on loopback, started and ended by the test that needs them."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from recsys_gru.tracking.dashboard import server_command

PATIENCE = 90.0


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: Sequence[str], surroundings: Mapping[str, str], health: str) -> Iterator[None]:
    """A server and its children, from its first sign of life to the end of the block."""
    server = subprocess.Popen(
        command,
        env=dict(surroundings),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(health, server)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


@contextmanager
def standing_still(port: int) -> Iterator[None]:
    """The server that this process has at the port answers nothing in the block: SIGSTOP, SIGCONT."""
    (leader,) = (child.pid for child in psutil.Process().children() if str(port) in child.cmdline())
    os.killpg(leader, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(leader, signal.SIGCONT)


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[str]:
    """The tracking server that the dashboard command starts, less the eight processes beside it for jobs of
    language models, which import all of MLflow each."""
    command, surroundings = server_command(folder, port)
    surroundings["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    with process(command, surroundings, f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}"


def wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    """Wait until the address answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.poll() is None, f"the server ended with {server.returncode}"
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise TimeoutError(f"nothing answers at {address}")
