"""How many threads to work with, on a machine that others work on too.

Threads hand each other parts that take microseconds and wait for each other at the end. Where another program
holds one of their cores, all wait for the thread that is not running, and two threads are some times slower
than one. Nobody tells a program so beforehand; its own speed does.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recsys_gru.engines import at_most
from recsys_gru.kernels.machine.threads import n_threads

TURN = 0.02
"""Seconds of work from which a number of threads is judged."""
PRICE = 30
"""A try of another number that lost is followed by so many times the loss without one."""


class Pace:
    """Finds the number of threads that does a kind of work soonest, again and again: up to all of torch's, by
    halves.

    The number changes no bit of what kernels make (`threads.py`), so it may change at any time.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._threads = 0
        self._cost: dict[int, float] = {}
        """Seconds for each unit of work: the lesser of the last two turns', as any one may be held up."""
        self._last: dict[int, float] = {}
        """Seconds for each unit of work in the last turn."""
        self._spent = self._done = 0.0
        """Seconds and units of work of this turn."""
        self._rest = 0.0
        """Seconds of work until another number is tried."""
        self._upward = False

    @property
    def portion(self) -> float:
        """Work that ends this turn, as far as is known; larger pieces than that are judged too late."""
        if n_threads() == 1:
            return math.inf
        cost = self._cost.get(self._threads)
        return max(TURN - self._spent, 0) / cost if cost else 0.0

    @contextmanager
    def work(self, amount: float) -> Iterator[None]:
        """Let kernels use the number found best, and learn from the time of this much work; from 0, work
        unlike the rest, nothing is learned."""
        most = n_threads()
        self._threads = min(self._threads or most, most)
        began = self._clock()
        with at_most(self._threads):
            yield
        if amount:
            self._spent += self._clock() - began
            self._done += amount
        if most > 1 and self._spent >= TURN:
            self._threads = self._judge(most)
            self._spent = self._done = 0.0

    def _judge(self, most: int) -> int:
        """Return the number for the next turn."""
        before, self._last[self._threads] = self._last.get(self._threads, math.inf), self._spent / self._done
        self._cost[self._threads] = min(before, self._last[self._threads])
        best = min((count for count in self._cost if count <= most), key=self._cost.__getitem__)
        if best == self._threads:
            self._rest -= self._spent
        else:
            self._rest = PRICE * (self._spent - self._done * self._cost[best])
        return best if self._rest > 0 else self._beside(best, most)

    def _beside(self, count: int, most: int) -> int:
        """Return twice as many or half as many, by turns."""
        self._upward = not self._upward
        up, down = min(2 * count, most), max(count // 2, 1)
        first, second = (up, down) if self._upward else (down, up)
        return second if first == count else first
