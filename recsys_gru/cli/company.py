"""Commands that run in several processes at once, started by torchrun: the first one speaks for all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from recsys_gru.errors import ParameterError


@contextmanager
def company(parallel: str | None) -> Iterator[bool]:
    """Join the other processes, if there are to be any; whether this one speaks, records and saves.

    Raises:
        ParameterError: if this is one of several and was not told how to train with them, or does not know
            them.
    """
    if parallel is None:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ParameterError(
                "this is one of several processes that torchrun has started, and each would learn the whole "
                "log: say --parallel fast, exact or divided, or start one without torchrun"
            )
        yield True
        return
    from recsys_gru.training import together

    with together() as exchange, Path(os.devnull).open("w") as nowhere:
        if exchange.rank == 0:
            yield True
        else:
            with redirect_stdout(nowhere):
                yield False
