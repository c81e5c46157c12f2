"""The service as a process: uvicorn around the application, one core each."""

import logging
import os
import resource
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from recsys_gru.errors import ParameterError
from recsys_gru.serving.settings import Settings

if TYPE_CHECKING:
    from uvicorn import Config

KEEP_ALIVE = 75
"""Seconds for which a connection without requests stays."""
BACKLOG = 2048


def config_of(settings: Settings) -> "Config":
    """How uvicorn is to run it.

    Raises:
        ParameterError: where what serving needs is not installed.
    """
    try:
        from uvicorn import Config

        from recsys_gru.serving.app import application
    except ModuleNotFoundError as error:
        raise ParameterError(
            f"serving needs {error.name}, which is not installed: pip install 'recsys-gru[serve]'"
        ) from error
    return Config(
        application(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=round(settings.drain) or 1,
        backlog=BACKLOG,
        server_header=False,
    )


def serve(settings: Settings, ready: Callable[[str], None]) -> int:
    """Serve until told to end (SIGTERM, SIGINT): then finish what has begun. Returns the exit code.

    Args:
        ready: is told the address once the service answers.
    """
    from uvicorn import Server

    more_files()
    config = config_of(settings)
    server = Server(config)
    server.run()
    return 0 if server.started else 3


def more_files() -> None:
    """Let this process hold as many connections as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
