"""The processor's time of a click with state beside a request without: `python -m benchmarks.inside`.

The application is called in this process, without sockets and without a second process, so that a busy
machine disturbs little: one way and the other by turns, with sessions in memory and with each click on disk
besides. Prints a line of each; with --profile where the time goes.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import recsys_gru as rg
from benchmarks import load
from benchmarks.load import Kept, Sessions, Stateless
from benchmarks.serving import made_up
from recsys_gru.serving import Settings
from recsys_gru.serving.app import application

WAYS: dict[str, type[Sessions]] = {"stateless": Stateless, "kept": Kept}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, help="a saved model in place of one of 50,000 items x 100 units"
    )
    parser.add_argument("--together", type=int, default=8, help="requests at once")
    parser.add_argument("--requests", type=int, default=1000, help="of a turn")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--longest", type=int, default=load.LONGEST, help="clicks of a session at most")
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="of clicks with state, on disk")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {asked.core})
    load.LONGEST = asked.longest
    build = Path("build").absolute()  # on a real disk
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as place:
        folder = asked.model or made_up(50_000, 100, Path(place) / "model")
        asyncio.run(measured(asked, folder, Path(place) / "clicks"))


async def measured(asked: argparse.Namespace, folder: Path, clicks: Path) -> None:
    """Both services, both ways."""
    ids = rg.load(folder).vocabulary_.ids.to_list()
    told = {"memory": Settings(str(folder), sessions="memory")}
    told["disk"] = Settings(str(folder), sessions="memory", clicks=clicks)
    apps = {name: application(settings) for name, settings in told.items()}
    async with AsyncExitStack() as living:
        for app in apps.values():
            await living.enter_async_context(app.router.lifespan_context(app))
        for name, app in apps.items():
            turns = [
                [await seconds(app, asked, way(ids)) for way in WAYS.values()] for _ in range(1 + asked.turns)
            ]
            costs = [statistics.median(turn[place] for turn in turns[1:]) * 1e6 for place in range(2)]
            ratio = statistics.median(kept / stateless for stateless, kept in turns[1:])
            print(f"{name}: stateless {costs[0]:.0f} us, kept {costs[1]:.0f} us, {ratio:.3f}", flush=True)
        if asked.profile:
            with cProfile.Profile() as profile:
                await seconds(apps["disk"], asked, Kept(ids))
            pstats.Stats(profile).sort_stats("tottime").print_stats(40)


async def seconds(app: Any, asked: argparse.Namespace, sessions: Sessions) -> float:  # noqa: ANN401 - ASGI
    """The processor's seconds of a request, so many at once."""
    each: int = asked.requests // asked.together
    asks = [[sessions.next(number) for _ in range(each)] for number in range(asked.together)]

    async def client(requests: list[bytes]) -> None:
        for request in requests:
            await answered(app, request)

    began = time.process_time()
    await asyncio.gather(*map(client, asks))
    return (time.process_time() - began) / sum(map(len, asks))


async def answered(app: Any, request: bytes) -> None:  # noqa: ANN401 - ASGI
    """Send a request as uvicorn would hand it on."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, target, _ = first.split()
    path, _, query = target.partition(b"?")
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    scope: dict[str, object] = {
        "type": "http",
        "method": method.decode(),
        "path": path.decode(),
        "query_string": query,
    }
    scope |= {"headers": headers, "root_path": "", "state": {}}

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message

    await app(scope, receive, send)


if __name__ == "__main__":
    main()
