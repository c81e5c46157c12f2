"""A new model takes over while the service answers: loaded beside the old one, tried, put in its place."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar, final

from recsys_gru.serving.measures import Measures
from recsys_gru.serving.served import Served
from recsys_gru.serving.sources import Source

log = logging.getLogger("recsys_gru.serving")

P = ParamSpec("P")
Value = TypeVar("Value")
LONGEST_PAUSE = 300.0
"""Seconds until a version that failed is tried again, at most; each time twice as many."""
SLOW = 30.0
"""Seconds after which a store that has not answered is told of."""


@final
class Place:
    """The model that serves under one name, and what became of the last exchange.

    Args:
        name: main or beside.
        watch: seconds between two looks at the source.
    """

    def __init__(self, name: str, source: Source, served: Served, watch: float, measures: Measures) -> None:
        self.name, self.served, self.trouble = name, served, ""
        self.since = time.time()
        self._source, self._watch, self._measures = source, watch, measures
        self._failed: tuple[str, float, float] = ("", 0.0, watch)
        self._asked: float | None = None
        self._show(served, serves=True)

    async def follow(self) -> None:
        """Look for new versions, for ever."""
        while True:
            await asyncio.sleep(self._watch)
            await self.look()

    async def look(self) -> bool:
        """Exchange the model where there is a newer one; whether that was done. The old one stays else."""
        version, self._asked = "unknown", time.monotonic()
        try:
            version = await in_thread(self._source.version)
            if version == self.served.version:
                self.trouble = ""
                return False
            failed, again, _ = self._failed
            if version == failed and time.monotonic() < again:
                return False
            fresh = await in_thread(_loaded, self._source, version)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever is wrong with a new model, the old one serves on
            self._refuse(version, error)
            return False
        finally:
            self._asked = None
        self._take_over(fresh)
        return True

    def detail(self) -> dict[str, object]:
        """What /readyz tells of it."""
        until = self.served.until
        return {
            "version": self.served.version,
            "kind": self.served.kind,
            "items": self.served.n_items,
            "names": self.served.n_named,
            "serves_since": _iso(self.since),
            "learned_until": None if until is None else _iso(until),
            "trouble": self._silence() or self.trouble or self._source.trouble or None,
        }

    def _silence(self) -> str:
        waited = 0.0 if self._asked is None else time.monotonic() - self._asked
        return f"no answer for {waited:.0f} s from where the model is from" if waited > SLOW else ""

    def _take_over(self, fresh: Served) -> None:
        old = self.served.version
        self._show(self.served, serves=False)
        self.served, self.since, self.trouble = fresh, time.time(), ""
        self._failed = ("", 0.0, self._watch)
        self._show(fresh, serves=True)
        self._measures.swaps.labels(self.name, "done").inc()
        log.info("%s: version %s takes over from %s", self.name, fresh.version, old)

    def _refuse(self, version: str, error: Exception) -> None:
        failed, _, pause = self._failed
        pause = min(2 * pause, LONGEST_PAUSE) if failed == version else self._watch
        self._failed = version, time.monotonic() + pause, pause
        self.trouble = f"version {version} cannot serve, {self.served.version} stays: {error}"
        self._measures.swaps.labels(self.name, "failed").inc()
        log.error("%s: %s", self.name, self.trouble)

    def _show(self, served: Served, *, serves: bool) -> None:
        self._measures.serving((self.name, served.version, served.kind), serves=serves)


async def in_thread(function: "Callable[P, Value]", *words: P.args, **named: P.kwargs) -> Value:
    """What a function gives, run in a thread that nobody waits for at the end: a store may never answer."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Value] = loop.create_future()

    def tell(value: "Value | None", error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(value)  # type: ignore[arg-type] # it is the function's
        else:
            future.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = function(*words, **named)
        except BaseException as found:  # the waiting side is to have it, whatever it is
            error = found
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=run, name="recsys-gru models", daemon=True).start()
    return await future


def first(source: Source) -> Served:
    """The model to begin with, after it has answered.

    Raises:
        RecsysError, OSError: if there is none, or it does not answer.
    """
    return _loaded(source, source.version())


def _loaded(source: Source, version: str) -> Served:
    return source.load(version).warm()


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
