"""Many requests, one pass over the catalogue: what has come while a pass was made is the next one.

A request that comes alone waits for no other. The event loop itself makes the passes: a process has one core,
on which a thread of its own would only take turns with what it waits for.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from recsys_gru.contract import Question, Ranking
from recsys_gru.serving.gathering import Gathering
from recsys_gru.serving.refusal import busy
from recsys_gru.serving.served import Served

log = logging.getLogger("recsys_gru.serving")


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
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._gathering = Gathering(self.__len__, batch, self._pass)

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
        self._jobs.append(_Job(served, question, future, time.monotonic() + self._deadline))
        self._gathering.begin()
        return await future

    def close(self) -> None:
        """Answer what waits, then nothing more."""
        self._closed = True
        while self._jobs:
            self._pass()

    def _pass(self) -> None:
        if jobs := self._taken():
            began = time.monotonic()
            answers = _answered(jobs)
            self._observe(len(jobs), time.monotonic() - began)
            for job, found in zip(jobs, answers, strict=True):
                _settle(job, found)
        if self._jobs:
            self._gathering.begin()

    def _taken(self) -> list[_Job]:
        """The next questions to one and the same model; those that have waited too long are refused."""
        jobs: list[_Job] = []
        now = time.monotonic()
        while self._jobs and len(jobs) < self._batch:
            if self._jobs[0].until < now:
                _settle(self._jobs.popleft(), busy("the request has waited longer than it may"))
            elif not jobs or self._jobs[0].served is jobs[0].served:
                jobs.append(self._jobs.popleft())
            else:
                break
        return jobs


def _settle(job: _Job, found: Ranking | Exception) -> None:
    if job.future.done():  # its client has gone
        return
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
