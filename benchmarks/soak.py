"""Models taken over under load by a service that does not grow: `python -m benchmarks.soak [--requests N]`.

So many requests over sixteen connections while versions are published as `fresh` does, so many of them one
after the other; then `--connections` that say nothing are held while others are answered. Counted are the
answers that were none, told is the memory of the server before and after. Prints one JSON object.
"""

import argparse
import asyncio
import json
import resource
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

import recsys_gru as rg
from benchmarks.load import Connection, Stateless, connected
from benchmarks.serving import made_up, served, server_at

TOGETHER = 16
MB = 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--model", type=Path, help="a saved model in place of the made-up one")
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--connections", type=int, default=10_000, help="that say nothing, held beside")
    parser.add_argument("--core", default="1", help="of the server")
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as place:
        folder = asked.model or made_up(asked.items, asked.units, Path(place) / "model")
        ids = rg.load(folder).vocabulary_.ids.to_list()
        print(json.dumps(soaked(asked, folder, ids, Path(place)), indent=1))


def soaked(asked: argparse.Namespace, folder: Path, ids: list[int], place: Path) -> dict[str, float]:
    """The figures of one service."""
    publish(place, 1, folder)
    with served(place / "current.json", asked.core, "--watch", "0.2") as port:
        sessions, server = Stateless(ids), server_at(port)
        asyncio.run(asked_often(port, sessions, 2_000, place, folder, 0))
        before = server.memory_info().rss
        found = asyncio.run(asked_often(port, sessions, asked.requests, place, folder, asked.swaps))
        time.sleep(1.0)
        found |= {"rss_mb_before": before / MB, "rss_mb_after": server.memory_info().rss / MB}
        if asked.connections:
            found |= asyncio.run(crowded(port, sessions, asked.connections))
    return found


def publish(home: Path, number: int, model: Path) -> None:
    """As the job between the nights does: a folder, then the pointer, renamed into place."""
    shutil.copytree(model, home / "versions" / f"{number:06}" / "model")
    aside = home / "aside"
    aside.write_text(json.dumps({"version": number, "base": 1, "path": f"versions/{number:06}"}))
    aside.replace(home / "current.json")
    shutil.rmtree(home / "versions" / f"{number - 3:06}", ignore_errors=True)


async def asked_often(
    port: int, sessions: Stateless, requests: int, home: Path, folder: Path, swaps: int
) -> dict[str, float]:
    """So many requests, and meanwhile so many new versions, evenly among them."""
    took: list[float] = []
    failed = [0]
    done = asyncio.Event()

    def heard(connection: Connection, status: int) -> None:
        now = time.perf_counter()
        took.append(now - connection.due)
        failed[0] += status != 200
        if len(took) >= requests:
            done.set()
        else:
            connection.ask(sessions.next(connection.session), now)

    began = time.perf_counter()
    connections = await connected(port, TOGETHER, heard)
    for connection in connections:
        connection.ask(sessions.next(connection.session), time.perf_counter())
    first = int(version_at(port).rpartition("-")[2])
    for swap in range(swaps):
        while len(took) < (swap + 0.5) * requests / swaps and not done.is_set():
            await asyncio.sleep(0.01)
        await asyncio.to_thread(publish, home, first + swap + 1, folder)
    await done.wait()
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.transport.close()
    wanted, end = f"fresh-{first + swaps}", time.monotonic() + 60
    while (version := version_at(port)) != wanted and time.monotonic() < end:
        await asyncio.sleep(0.1)
    p50, p99 = np.percentile(took, (50, 99)) * 1000
    return {
        "requests": len(took),
        "failed": failed[0],
        "swaps": int(version.rpartition("-")[2]) - first,
        "per_second": len(took) / seconds,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "longest_ms": max(took) * 1000,
    }


async def crowded(port: int, sessions: Stateless, count: int) -> dict[str, float]:
    """Requests answered while so many connections are open that ask nothing."""
    statuses: list[int] = []
    answered = asyncio.Event()

    def heard(connection: Connection, status: int) -> None:
        del connection
        statuses.append(status)
        answered.set()

    silent = await connected(port, count, lambda *_: None)
    (one,) = await connected(port, 1, heard)
    for _ in range(200):
        answered.clear()
        one.ask(sessions.next(0), time.perf_counter())
        await answered.wait()
    for connection in silent:
        connection.transport.close()
    return {"connections_held": len(silent), "failed_beside_them": sum(status != 200 for status in statuses)}


def version_at(port: int) -> str:
    """The version that serves."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as reply:
        found: str = json.load(reply)["models"]["main"]["version"]
    return found


if __name__ == "__main__":
    main()
