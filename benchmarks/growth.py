"""Whether a service grows with what it is asked: `python -m benchmarks.growth [--requests 1000000]`.

By turns a session's items and a click of one of many sessions that the service keeps, of which it holds so
many at most and writes each click down. Prints a table: requests so far, the server's memory, what failed.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

import recsys_gru as rg
from benchmarks.load import Connection, K, Stateless, connected, post
from benchmarks.serving import made_up, served, server_at

TOGETHER = 32
MB = 2**20


class Mixed(Stateless):
    """By turns a stateless request and a click of a session drawn from many."""

    def __init__(self, ids: list[int], names: int) -> None:
        super().__init__(ids)
        self._drawn, self._many, self._turn = np.random.default_rng(2), names, False

    def next(self, session: int) -> bytes:
        self._turn = not self._turn
        if self._turn:
            return super().next(session)
        name = int(self._drawn.integers(self._many))
        return post(f"/v1/sessions/{name}/clicks?k={K}", {"item_id": self._item()})


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--model", type=Path, help="a saved model in place of the made-up one")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=100_000, help="requests from one line to the next")
    parser.add_argument("--names", type=int, default=200_000, help="sessions that clicks are of")
    parser.add_argument("--kept", type=int, default=20_000, help="sessions that the service holds at most")
    parser.add_argument("--cores", default="0,1", help="of the generator and of the server")
    asked = parser.parse_args()
    mine, core = asked.cores.split(",")
    with tempfile.TemporaryDirectory() as place:
        folder = asked.model or made_up(asked.items, asked.units, Path(place) / "model")
        mixed = Mixed(rg.load(folder).vocabulary_.ids.to_list(), asked.names)
        os.sched_setaffinity(0, {int(mine)})
        words = ("--sessions", "memory", "--most-sessions", str(asked.kept), "--clicks", f"{place}/clicks")
        with served(folder, core, *words) as port:
            asyncio.run(grown(port, mixed, asked.requests, asked.every))


async def grown(port: int, requests: Mixed, many: int, every: int) -> None:
    """So many requests, and a line of the table after each so many."""
    server, began, done = server_at(port), time.perf_counter(), asyncio.Event()
    answered, failed = 0, 0

    def heard(connection: Connection, status: int) -> None:
        nonlocal answered, failed
        answered, failed = answered + 1, failed + (status != 200)
        if answered % every == 0:
            tell(answered, server, failed, time.perf_counter() - began)
        if answered < many:
            connection.ask(requests.next(connection.session), 0.0)
        else:
            done.set()

    print("| requests | memory, MB | failed | seconds |\n|---|---|---|---|")
    tell(0, server, 0, 0.0)
    connections = await connected(port, TOGETHER, heard)
    for connection in connections:
        connection.ask(requests.next(connection.session), 0.0)
    await done.wait()
    for connection in connections:
        connection.transport.close()


def tell(answered: int, server: psutil.Process, failed: int, seconds: float) -> None:
    """One line."""
    memory = server.memory_info().rss / MB
    print(f"| {answered:,} | {memory:.1f} | {failed} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
