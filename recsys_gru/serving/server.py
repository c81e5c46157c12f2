"""The service as a process, or several on one port: uvicorn around the application."""

import ctypes
import gc
import json
import os
import resource
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from socket import socket
from typing import final

from starlette.applications import Starlette
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from recsys_gru.serving.app import application, loaded_models
from recsys_gru.serving.measures import SHARED
from recsys_gru.serving.protocol import Patient
from recsys_gru.serving.settings import Settings
from recsys_gru.serving.sources import source_of

KEEP_ALIVE = 75
"""Seconds for which a connection without requests stays."""
BACKLOG = 4096
M_MMAP_THRESHOLD, LARGE = -3, 2**20
"""Of glibc's malloc.h, and the bytes from which an array has memory of its own."""
TOLD = "RECSYS_GRU_SERVING"
"""The settings, for the processes that one service consists of."""


@final
class _Announcing(Server):
    """Says where it listens, once it does."""

    ready: Callable[[str], None]

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            self.ready(_address(self.config.host, port))


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until told to end (SIGTERM, SIGINT): then finish what has begun.

    Args:
        ready: is told the address once it is listened at.

    Raises:
        RecsysError, OSError: if there is no model, or it does not answer.
    """
    _prepare()
    if settings.workers > 1:
        _serve_by_many(settings, ready)
        return
    config = config_of(settings, _loaded(settings))
    server = _Announcing(config)
    server.ready = ready
    server.run()


def worker_application() -> Starlette:
    """The application of one of several processes."""
    told = json.loads(os.environ[TOLD])
    _prepare()
    paths = {name: told[name] and Path(told[name]) for name in ("clicks", "items")}
    return _loaded(Settings(**told | paths | {"hosts": tuple(told["hosts"])}))


def _loaded(settings: Settings) -> Starlette:
    """The application with its models, in a process that is a service's alone."""
    app = application(settings, models=loaded_models(settings))
    gc.collect()
    gc.freeze()  # else looking through all the libraries' objects holds up answers by tenths of a second
    return app


def _serve_by_many(settings: Settings, ready: Callable[[str], None]) -> None:
    for model in filter(None, (settings.model, settings.beside)):
        source_of(model, settings.tracking_uri).version()
    os.environ[TOLD] = json.dumps(asdict(settings), default=str)
    with tempfile.TemporaryDirectory() as shared:
        os.environ[SHARED] = shared
        config = config_of(settings, "recsys_gru.serving.server:worker_application")
        listening = config.bind_socket()
        ready(_address(config.host, listening.getsockname()[1]))
        Multiprocess(config, sockets=[listening]).run()


def config_of(settings: Settings, app: Starlette | str) -> Config:
    """How uvicorn runs an application, or the factory of that name."""
    return Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        http=Patient,
        ws="none",
        access_log=False,
        log_level="error",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(settings.drain)),
        backlog=BACKLOG,
        server_header=False,
        proxy_headers=False,  # nothing here depends on where a request comes from
    )


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _prepare() -> None:
    """Let this process hold as many connections as the system allows it, and give large arrays back to the
    system as soon as they are free: glibc keeps such memory from the first exchange of a model on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
