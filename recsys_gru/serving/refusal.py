"""What is answered in place of an answer: a status and the reason, in words that help."""

from typing import final

from recsys_gru.errors import RecsysError

RETRY_AFTER = 1
"""Seconds after which to try again where a queue is full."""


@final
class RefusedError(RecsysError):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        retry_after: seconds after which to try again; None where that would not help.
    """

    def __init__(self, status: int, why: str, retry_after: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.retry_after = retry_after


def busy(why: str) -> RefusedError:
    """The service has more to do than it can, for now."""
    return RefusedError(503, why, RETRY_AFTER)
