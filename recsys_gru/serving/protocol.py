"""HTTP as uvicorn speaks it, with an end to patience: a head too long or too slow is not waited for."""

import asyncio
from typing import final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 32_768
"""Bytes of a request's line and headers."""
SLOWEST_HEAD = 10.0
"""Seconds from a connection, or a request's first byte, to the end of its headers."""


@final
class Patient(HttpToolsProtocol):
    """Closes a connection that does not come to its point."""

    _timer: asyncio.TimerHandle | None = None
    _head = 0
    _in_head = _begun = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._begun = False
        super().data_received(data)
        if self._in_head:
            self._head += self._so_far() if self._begun else len(data)
        if self._in_head and self._head > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._in_head, self._begun = 0, True, True
        if self._timer is None:
            self._start()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop()
        super().on_headers_complete()

    def _so_far(self) -> int:
        """Bytes of a head whose first ones came behind something else."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _start(self) -> None:
        self._timer = self.loop.call_later(SLOWEST_HEAD, self._give_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
