"""Many requests, one pass over the catalogue: what has come while a pass was running is the next one.

A request that comes alone waits for no other. Where the last pass answered several, the next gives as many
a moment to come, a share of the time that they save. A thread does the passes; the event loop reads on.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from recsys_gru.contract import Question, Ranking
from recsys_gru.serving.refusal import RefusedError, busy
from recsys_gru.serving.served import Served

log = logging.getLogger("recsys_gru.serving")

PATIENCE, LONGEST_WAIT = 0.25, 0.002
"""Share of the last pass's time, and seconds at most, for which as many requests as it had are waited for."""
SWEEP = 0.05
"""Seconds between two looks for requests that have waited too long."""


@final
@dataclass(slots=True, eq=False)
class _Job:
    served: Served
    question: Question
    future: "asyncio.Future[Ranking]"
    until: float


@final
class Batcher:
    """Answers questions in passes, in the order in which they came.

    Args:
        batch: questions of a pass at most.
        queue: questions that wait at most.
        deadline: seconds that one may wait.
        observe: is told the size and the seconds of every pass.
    """

    def __init__(
        self, batch: int, queue: int, deadline: float, observe: Callable[[int, float], None]
    ) -> None:
        self._batch, self._queue, self._deadline, self._observe = batch, queue, deadline, observe
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._last = 1, 0.0
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="recsys-gru answers", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._jobs)

    async def ask(self, served: Served, question: Question) -> Ranking:
        """The answer of a model to a question.

        Raises:
            RefusedError: 503 where too many wait already, or this one has waited too long.
        """
        if self._closed or len(self._jobs) >= self._queue:
            raise busy(f"{len(self._jobs)} requests are waiting, which is all that may")
        future: asyncio.Future[Ranking] = self._loop.create_future()
        with self._wake:
            self._jobs.append(_Job(served, question, future, time.monotonic() + self._deadline))
            self._wake.notify()
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP, self._sweep)
        return await future

    def close(self) -> None:
        """Answer what waits, then end."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _sweep(self) -> None:
        """Refuse what has waited too long, though no pass comes to an end."""
        self._sweeper, now = None, time.monotonic()
        with self._wake:
            while self._jobs and self._jobs[0].until < now:
                self._settle([(self._jobs.popleft(), _late())])
            if self._jobs:
                self._sweeper = self._loop.call_later(SWEEP, self._sweep)

    def _work(self) -> None:
        while self._pass(self._next()):  # nothing of a pass is held while the next one is waited for
            pass

    def _pass(self, jobs: list[_Job]) -> bool:
        """Answer some questions; whether there were any."""
        if jobs:
            began = time.monotonic()
            answers = _answered(jobs)
            took = time.monotonic() - began
            self._last = len(jobs), took
            pairs = list(zip(jobs, answers, strict=True))
            self._loop.call_soon_threadsafe(self._deliver, pairs, took)
        return bool(jobs)

    def _next(self) -> list[_Job]:
        """The next questions to one and the same model; none when all is done and closed."""
        while self._is_asked():
            several, took = self._last
            if len(self._jobs) < several:
                time.sleep(min(PATIENCE * took, LONGEST_WAIT))
            if jobs := self._taken():  # else they have waited too long meanwhile
                return jobs
        return []

    def _is_asked(self) -> bool:
        """Wait for a question; whether there is one, and not the end."""
        with self._wake:
            while not self._jobs and not self._closed:
                self._wake.wait()
            return bool(self._jobs)

    def _taken(self) -> list[_Job]:
        jobs: list[_Job] = []
        with self._wake:
            while (
                self._jobs
                and len(jobs) < self._batch
                and (not jobs or self._jobs[0].served is jobs[0].served)
            ):
                jobs.append(self._jobs.popleft())
        return jobs

    def _deliver(self, pairs: "list[tuple[_Job, Ranking | Exception]]", took: float) -> None:
        self._observe(len(pairs), took)
        self._settle(pairs)

    def _settle(self, pairs: "list[tuple[_Job, Ranking | Exception]]") -> None:
        for job, found in pairs:
            if job.future.done():  # its client has gone
                continue
            if isinstance(found, Exception):
                job.future.set_exception(found)
            else:
                job.future.set_result(found)


def _answered(jobs: list[_Job]) -> list[Ranking | Exception]:
    """An answer or an error for each; where a pass fails, each is asked alone: one spoils no other."""
    try:
        return list(jobs[0].served.rank([job.question for job in jobs]))
    except Exception as error:
        log.exception("a pass of %d requests failed", len(jobs))
        return [error] if len(jobs) == 1 else [one for job in jobs for one in _answered([job])]


def _late() -> RefusedError:
    return busy("the request has waited longer than it may")
