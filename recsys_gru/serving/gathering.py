"""What comes together is done together: the event loop takes up one connection a round, more may follow."""

import asyncio
from collections.abc import Callable
from typing import final

ROUNDS = 3
"""Rounds of the loop that bring nothing new, after which no more is waited for: from a connection to its
question it takes so many."""


@final
class Gathering:
    """Waits as long as rounds of the running event loop bring more.

    Args:
        gathered: how many there are.
        enough: so many are not kept waiting for more.
        then: does what is to be done with them.
    """

    def __init__(self, gathered: Callable[[], int], enough: int, then: Callable[[], None]) -> None:
        self._gathered, self._enough, self._then = gathered, enough, then
        self._begun = False
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        """Something is there; see to it that it is done."""
        if not self._begun:
            self._begun = True
            self._loop.call_soon(self._round, self._gathered(), 0)

    def _round(self, before: int, quiet: int) -> None:
        now = self._gathered()
        quiet = quiet + 1 if now == before else 0
        if quiet < ROUNDS and now < self._enough:
            self._loop.call_soon(self._round, now, quiet)
        else:
            self._begun = False
            self._then()
