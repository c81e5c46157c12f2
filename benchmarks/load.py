"""Clicks over HTTP by ETUDE's method: made-up sessions whose next click follows its answer.

Closed loop: so many sessions at all times, as fast as the answers come. Open loop: clicks come at a rate that
grows linearly, then stays; a latency counts from when the click was due, and where as many wait as come in a
second it is given up (back-pressure). How late the generator itself was is told beside it.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

LENGTHS, CLICKS = 1.8, 1.2
"""Exponents of the power laws of session lengths and of clicks by item."""
LONGEST = 50
K = 20
Figures = dict[str, float]


class Sessions:
    """Made-up sessions by number; ``next`` gives the request of a next click, or of a new session's first."""

    def __init__(self, ids: list[int]) -> None:
        self._random = np.random.default_rng(1)
        weights = np.arange(1, len(ids) + 1) ** -CLICKS
        self._ids, self._sums = self._random.permutation(ids), np.cumsum(weights) / weights.sum()
        self._pool: Iterator[int] = iter(())
        self._clicks: dict[int, list[int]] = {}
        self._names: dict[int, int] = {}
        self._begun = 0

    def next(self, session: int) -> bytes:
        clicks = self._clicks.get(session)
        if not clicks or len(clicks) >= self._clicks[-1 - session][0]:
            length = min(int(self._random.pareto(LENGTHS - 1) + 1), LONGEST)
            clicks, self._clicks[-1 - session] = [], [length]
            self._clicks[session], self._begun = clicks, self._begun + 1
            self._names[session] = self._begun
        clicks.append(self._item())
        return self._request(self._names[session], clicks)

    def _item(self) -> int:
        item = next(self._pool, None)
        if item is None:
            places = np.searchsorted(self._sums, self._random.random(100_000))
            self._pool = iter(self._ids[np.minimum(places, len(self._ids) - 1)].tolist())
            return self._item()
        return item

    def _request(self, name: int, clicks: list[int]) -> bytes:
        raise NotImplementedError


class Stateless(Sessions):
    """The client sends the whole session."""

    def _request(self, name: int, clicks: list[int]) -> bytes:
        del name
        return post("/v1/recommend", {"items": clicks, "k": K})


class Kept(Sessions):
    """The service keeps it, and is sent the click; no run goes on with the sessions of another."""

    _runs = count()

    def __init__(self, ids: list[int]) -> None:
        super().__init__(ids)
        self._run = next(self._runs)

    def _request(self, name: int, clicks: list[int]) -> bytes:
        return post(f"/v1/sessions/{self._run}-{name}/clicks?k={K}", {"item_id": clicks[-1]})


class Invocation(Sessions):
    """As MLflow's server is asked."""

    def _request(self, name: int, clicks: list[int]) -> bytes:
        del name
        return post("/invocations", {"dataframe_records": [{"items": clicks}], "params": {"k": K}})


def healthz(session: int) -> bytes:
    """The least that is to be answered."""
    del session
    return b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"


def post(path: str, body: object) -> bytes:
    """A request in full."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(text)}\r\n\r\n".encode() + text


class Connection(asyncio.Protocol):
    """Asks one thing at a time; ``heard`` is told the status of each answer."""

    def __init__(self, heard: "Callable[[Connection, int], None]") -> None:
        self.session, self.due = 0, 0.0
        self._heard, self._held = heard, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes, due: float) -> None:
        self.due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, found, rest = self._held.partition(b"\r\n\r\n")
        if found and len(rest) >= int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            self._held = b""
            self._heard(self, int(head[9:12]))


def closed(port: int, count: int, seconds: float, request: Callable[[int], bytes]) -> Figures:
    """So many sessions, each asking again as soon as it is answered; the first second is not counted."""
    return asyncio.run(_closed(port, count, seconds, request))


async def _closed(port: int, count: int, seconds: float, request: Callable[[int], bytes]) -> Figures:
    took: list[float] = []
    failed = [0]
    answers = [0]
    begin = time.perf_counter() + min(1.0, seconds)

    def heard(connection: Connection, status: int) -> None:
        now = time.perf_counter()
        answers[0] += 1
        if now > begin:
            took.append(now - connection.due)
            failed[0] += status != 200
        if now < begin + seconds:
            connection.ask(request(connection.session), now)

    connections = await connected(port, count, heard)
    for connection in connections:
        connection.ask(request(connection.session), time.perf_counter())
    await asyncio.sleep(begin + seconds - time.perf_counter() + 0.2)
    for connection in connections:
        connection.transport.close()
    return figures(took, failed[0], seconds) | {"answers": answers[0]}


def opened(port: int, rate: int, ramp: float, seconds: float, sessions: Sessions) -> Figures:
    """Clicks at a rate that grows for `ramp` seconds and then stays; only the latter are counted."""
    return asyncio.run(_opened(port, rate, ramp, seconds, sessions))


async def _opened(port: int, rate: int, ramp: float, seconds: float, sessions: Sessions) -> Figures:
    took: list[float] = []
    late: list[float] = []
    failed = [0]
    begin = time.perf_counter()
    idle: deque[Connection] = deque()

    def heard(connection: Connection, status: int) -> None:
        if connection.due >= begin + ramp:
            took.append(time.perf_counter() - connection.due)
            failed[0] += status != 200
        idle.append(connection)

    idle.extend(await connected(port, rate, heard))
    begin, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - begin) < ramp + seconds:
        due = rate * (now * now / (2 * ramp) if now < ramp else now - ramp / 2)
        while sent < due:
            if not idle:  # as many wait as come in a second
                return figures(took, failed[0], seconds) | {"answers": sent, "given_up_after": now}
            connection = idle.popleft()
            at = (2 * ramp * sent / rate) ** 0.5 if sent < rate * ramp / 2 else sent / rate + ramp / 2
            connection.ask(sessions.next(connection.session), begin + at)
            if now >= ramp:
                late.append(time.perf_counter() - begin - at)
            sent += 1
        await asyncio.sleep(0.0005)
    await asyncio.sleep(1.0)
    return figures(took, failed[0], seconds) | {"answers": sent} | lateness(late)


async def connected(port: int, count: int, heard: Callable[[Connection, int], None]) -> list[Connection]:
    """So many connections, numbered."""
    loop, made = asyncio.get_running_loop(), []
    for number in range(count):
        _, connection = await loop.create_connection(lambda: Connection(heard), "127.0.0.1", port)
        connection.session = number
        made.append(connection)
    return made


def lateness(late: list[float]) -> Figures:
    """Percentiles, in milliseconds, of how long after they were due clicks were sent."""
    p50, p90, p99 = np.percentile(late, (50, 90, 99)) * 1000 if late else (0.0, 0.0, 0.0)
    return {
        "late_p50_ms": round(p50, 2),
        "late_p90_ms": round(p90, 2),
        "late_p99_ms": round(p99, 2),
    }


def figures(took: list[float], failed: int, seconds: float) -> Figures:
    """Answers a second, percentiles in milliseconds, failures."""
    if not took:
        return {"per_second": 0.0, "failed": failed}
    p50, p90, p99 = np.percentile(took, (50, 90, 99)) * 1000
    return {
        "per_second": round(len(took) / seconds, 1),
        "p50_ms": round(p50, 2),
        "p90_ms": round(p90, 2),
        "p99_ms": round(p99, 2),
        "failed": failed,
    }
