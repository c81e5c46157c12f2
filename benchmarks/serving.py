"""Load on the service: `python -m benchmarks.serving [--items 50000] [--units 100] [--quick]`.

The server has one core, the generator of `benchmarks.load` another. Beside the answers, /healthz as the bare
floor of the same server, clicks to sessions that the service keeps, and with --mlflow the same model behind
`mlflow models serve`. Each figure is that of the run with the median p99. Prints one JSON object.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import psutil

import recsys_gru as rg
from benchmarks.load import Figures, Invocation, Kept, Stateless, closed, healthz, opened

COMPILING = 60.0
"""Seconds of requests before any is counted: the model brings its code along, which is compiled anew."""
HOME = "from recsys_gru.cli import main; main()"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--rates", type=int, nargs="*", default=[1000], help="clicks a second, open loop")
    parser.add_argument(
        "--together", type=int, nargs="*", default=[1, 8, 32, 64], help="sessions, closed loop"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--ramp", type=float, default=20.0, help="seconds until a rate is reached")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", default="0,1", help="of the generator and of the server")
    parser.add_argument("--model", type=Path, help="a saved model in place of the made-up one")
    parser.add_argument("--mlflow", action="store_true", help="the same behind mlflow models serve")
    parser.add_argument("--quick", action="store_true", help="a second of each, once")
    asked = parser.parse_args()
    if asked.quick:
        asked.seconds, asked.ramp, asked.repeats = 1.0, 1.0, 1
    mine, servers = asked.cores.split(",")
    with tempfile.TemporaryDirectory() as place:
        folder = asked.model or made_up(asked.items, asked.units, Path(place) / "model")
        ids = rg.load(folder).vocabulary_.ids.to_list()
        os.sched_setaffinity(0, {int(mine)})
        found = measured(asked, folder, ids, servers)
        if asked.mlflow:
            found["mlflow models serve"] = behind_mlflow(asked, folder, ids, servers, Path(place))
    print(json.dumps(found, indent=1))


def made_up(items: int, units: int, folder: Path) -> Path:
    """A saved model that knows every item; how well it recommends is no matter here."""
    generator = np.random.default_rng(0)
    clicked = np.concatenate([generator.permutation(items), generator.integers(0, items, items // 10)])
    log = pl.DataFrame(
        {"session_id": np.arange(len(clicked)) // 5, "item_id": clicked, "time": np.arange(len(clicked))}
    ).with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    rg.GRU4Rec(layers=(units,), n_epochs=1, n_sample=512, batch_size=256, device="cpu").fit(log).save(folder)
    return folder


def measured(asked: argparse.Namespace, folder: Path, ids: list[int], core: str) -> dict[str, object]:
    """All figures of our own server."""
    found: dict[str, object] = {"items": len(ids), "seconds": asked.seconds, "repeats": asked.repeats}
    with served(folder, core, "--sessions", "memory") as port:
        server = server_at(port)

        def run(figures: Callable[[], Figures]) -> Figures:
            return repeated(asked, lambda: with_cost(server, figures))

        def together(count: int, request: Callable[[int], bytes]) -> Figures:
            return run(lambda: closed(port, count, asked.seconds, request))

        def a_second(rate: int) -> Figures:
            return run(lambda: opened(port, rate, asked.ramp, asked.seconds, Stateless(ids)))

        for count in asked.together:
            found[f"healthz, {count} at once"] = together(count, healthz)
            found[f"stateless, {count} at once"] = together(count, Stateless(ids).next)
            found[f"sessions kept, {count} at once"] = together(count, Kept(ids).next)
        for rate in asked.rates:
            found[f"{rate} a second"] = a_second(rate)
    return found


def behind_mlflow(
    asked: argparse.Namespace, folder: Path, ids: list[int], core: str, place: Path
) -> dict[str, object]:
    """The closed loop against MLflow's own server."""
    from recsys_gru.tracking.registry import write_served

    write_served(rg.load(folder), place / "served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    surroundings = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    words = [
        "taskset",
        "-c",
        core,
        "mlflow",
        "models",
        "serve",
        "-m",
        str(place / "served"),
        "--env-manager",
        "local",
    ]
    server = subprocess.Popen(
        [*words, "-p", str(port), "--workers", "1"], env=surroundings, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/ping")
        closed(port, 1, COMPILING, Invocation(ids).next)
        return {
            f"{count} at once": repeated(
                asked,
                lambda count=count: closed(port, count, asked.seconds, Invocation(ids).next),  # type: ignore[misc]
            )
            for count in asked.together
        }
    finally:
        server.terminate()
        server.wait()


@contextmanager
def served(folder: Path, core: str, *more: str) -> Iterator[int]:
    """Our server on a core of its own; its port."""
    words = [
        "taskset",
        "-c",
        core,
        sys.executable,
        "-c",
        HOME,
        "serve",
        str(folder),
        "--port",
        "0",
        "--threads",
        "1",
    ]
    server = subprocess.Popen([*words, *more], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline().split()[2].rstrip("/").rpartition(":")[2])
        wait_until_it_answers(f"http://127.0.0.1:{port}/readyz")
        yield port
    finally:
        server.terminate()
        server.wait()


def server_at(port: int) -> psutil.Process:
    """The process that listens there, a child of ours."""
    children = psutil.Process().children(recursive=True)
    return next(
        child for child in children if any(one.laddr.port == port for one in child.net_connections("tcp"))
    )


def with_cost(server: psutil.Process, run: Callable[[], Figures]) -> Figures:
    """The figures of a run, and the processor's microseconds that the server took for a request."""
    before = server.cpu_times()
    found = run()
    after = server.cpu_times()
    seconds = after.user + after.system - before.user - before.system
    return found | {"processor_us": round(seconds / max(found["answers"], 1) * 1e6, 1)}


def wait_until_it_answers(address: str) -> None:
    """Come back when there is an answer, at most two minutes later."""
    for _ in range(240):
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - of this machine
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(f"{address} does not answer")


def repeated(asked: argparse.Namespace, run: Callable[[], Figures]) -> Figures:
    """The run whose p99 is the median."""
    runs = sorted((run() for _ in range(asked.repeats)), key=lambda found: found.get("p99_ms", np.inf))
    return runs[len(runs) // 2]


if __name__ == "__main__":
    main()
