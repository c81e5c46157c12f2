"""The ASGI application: paths to what the service does, errors to answers."""

import asyncio
import logging
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from recsys_gru.serving.clicks import Click as Kept
from recsys_gru.serving.described import document
from recsys_gru.serving.exchange import Place, first
from recsys_gru.serving.items import WithItems
from recsys_gru.serving.measures import Measures
from recsys_gru.serving.refusal import RefusedError
from recsys_gru.serving.requests import (
    JSON,
    asked,
    body_of,
    query_of,
    require_host,
    require_known,
    require_token,
    value_of,
)
from recsys_gru.serving.served import Served
from recsys_gru.serving.service import Service
from recsys_gru.serving.settings import Settings
from recsys_gru.serving.sources import Source, source_of
from recsys_gru.serving.wire import Click, ItemId, K, Recommend, TextId, Which, moment, parsed

log = logging.getLogger("recsys_gru.serving")

HERE = Path(__file__).parent
ITEM: TypeAdapter[int | str] = TypeAdapter(ItemId)
SESSION, COUNT, FLAG, WHICH = (
    TypeAdapter[str](TextId),
    TypeAdapter[int](K),
    TypeAdapter(bool),
    TypeAdapter[str](Which),
)
READ_EVERY = 1.0
"""Seconds between two readings of what is watched."""
Answering = Callable[[Service, Request], Awaitable[Response]]


def loaded_models(settings: Settings) -> dict[str, tuple[Source, Served]]:
    """The models by name, after each has answered.

    Raises:
        RecsysError, OSError: if one is not there, or does not answer.
    """
    named = {"main": settings.model, "beside": settings.beside}
    sources = {name: source_of(model, settings.tracking_uri) for name, model in named.items() if model}
    if (file := settings.items) is not None:
        sources = {name: WithItems(source, file, settings.items_name) for name, source in sources.items()}
    return {name: (source, first(source)) for name, source in sources.items()}


def application(
    settings: Settings,
    clock: Callable[[], float] = time.time,
    models: dict[str, tuple[Source, Served]] | None = None,
) -> Starlette:
    """The service as an ASGI application.

    Args:
        clock: seconds since 1970; another one than the machine's for replays.
        models: those of ``loaded_models``; loaded at the start if not given.
    """

    @asynccontextmanager
    async def living(app: Starlette) -> AsyncIterator[None]:
        found = await asyncio.to_thread(loaded_models, settings) if models is None else models
        measures = Measures()
        places = {
            name: Place(name, source, served, settings.watch, measures)
            for name, (source, served) in found.items()
        }
        found.clear()  # else the first model would be held for ever
        service = app.state.service = Service(settings, places, measures, clock)
        followers = [asyncio.create_task(place.follow()) for place in places.values()]
        followers.append(asyncio.create_task(_read_often(measures)))
        log.info("ready: %s", ", ".join(f"{name} {place.served.version}" for name, place in places.items()))
        try:
            yield
        finally:
            for follower in followers:
                follower.cancel()
            await service.close()

    routes = [
        _route("/v1/recommend", "POST", _recommend),
        _route("/v1/sessions/{session_id}/clicks", "POST", _click),
        _route("/v1/sessions/{session_id}", "DELETE", _forget),
        _route("/v1/items", "GET", _found),
        _route("/v1/items/{item_id}/similar", "GET", _similar),
        _route("/metrics", "GET", _metrics),
        _route("/healthz", "GET", _healthz, public=True),
        _route("/readyz", "GET", _readyz, public=True),
        _route("/openapi.json", "GET", _described(), public=True),
        _route("/docs", "GET", _page("docs.html"), public=True),
        _route("/", "GET", _page("page.html"), public=True),
    ]
    app = Starlette(routes=routes, lifespan=living, exception_handlers={HTTPException: _unknown})
    app.router.redirect_slashes = False  # to wherever the client says that we are
    return app


async def _read_often(measures: Measures) -> None:
    """What is watched is read also for other processes of the service, one of which is asked for it."""
    while True:
        measures.read()
        await asyncio.sleep(READ_EVERY)


async def _recommend(service: Service, request: Request) -> Response:
    require_known(query_of(request))
    body = await body_of(request, service.settings.body, service.settings.slow)
    return _json(await service.recommend(parsed(Recommend, body)))


async def _click(service: Service, request: Request) -> Response:
    k, exclude_seen = _wanted(request.scope["query_string"])
    session = value_of(SESSION, request.path_params["session_id"], "session_id")
    body = await body_of(request, service.settings.body, service.settings.slow)
    click = parsed(Click, body)
    kept = Kept(session, click.item_id, moment(click.time, service.clock()))
    return _json(await service.click(session, kept, k, exclude_seen, click.consent, click.context))


@lru_cache(maxsize=64)
def _wanted(query: bytes) -> tuple[int, bool]:
    """What stands behind the question mark of a click: mostly the same each time, and dear to read."""
    given = QueryParams(query)
    require_known(given, "k", "exclude_seen")
    return asked(given, "k", COUNT, 20), asked(given, "exclude_seen", FLAG, True)


async def _forget(service: Service, request: Request) -> Response:
    require_known(query_of(request))
    await service.forget(value_of(SESSION, request.path_params["session_id"], "session_id"))
    return Response(status_code=204)


async def _similar(service: Service, request: Request) -> Response:
    given = query_of(request)
    require_known(given, "k", "model")
    item = value_of(TypeAdapter(TextId), request.path_params["item_id"], "item_id")
    k, which = asked(given, "k", COUNT, 20), asked(given, "model", WHICH, "main")
    return _json(await service.similar(which, item, k))


async def _found(service: Service, request: Request) -> Response:
    given = query_of(request)
    require_known(given, "find", "k", "model")
    text = asked(given, "find", SESSION, "")
    if not text:
        raise RefusedError(422, "find: expected an item's id, or words of its name")
    k, which = asked(given, "k", COUNT, 20), asked(given, "model", WHICH, "main")
    return _json(await service.found(which, text, k))


async def _metrics(service: Service, request: Request) -> Response:
    del request
    return Response(service.measures.text(), media_type="text/plain; version=0.0.4")


async def _healthz(service: Service, request: Request) -> Response:
    del service, request
    return Response(b"ok\n", media_type="text/plain")


async def _readyz(service: Service, request: Request) -> Response:
    del request
    trouble = ""
    try:
        await service.ready()
    except Exception as error:  # whatever it is, the service is not ready
        trouble = f"the golden request was not answered: {error}"
    found = {
        "ready": not trouble,
        "trouble": trouble or None,
        "models": {name: place.detail() for name, place in service.places.items()},
        "waiting": len(service.batcher),
        "sessions": service.settings.sessions.partition(":")[0],
        "clicks": None if service.clicks is None else {"trouble": service.clicks.trouble or None},
    }
    return _json(found, 503 if trouble else 200)


def _described() -> Answering:
    text = to_json(document())

    async def openapi(service: Service, request: Request) -> Response:
        del service, request
        return Response(text, media_type=JSON)

    return openapi


def _page(name: str) -> Answering:
    text = (HERE / name).read_bytes()
    headers = _safe(text)

    async def page(service: Service, request: Request) -> Response:
        del service, request
        return Response(text, media_type="text/html", headers=headers)

    return page


def _safe(page: bytes) -> dict[str, str]:
    """Headers that let a page run its own script and talk to this service, and nothing else."""
    script, style = (
        _digest(page.partition(b"<%b>" % tag)[2].partition(b"</%b>" % tag)[0])
        for tag in (b"script", b"style")
    )
    return {
        "content-security-policy": f"default-src 'none'; script-src {script}; style-src {style}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def _digest(text: bytes) -> str:
    return f"'sha256-{b64encode(sha256(text).digest()).decode()}'"


def _route(path: str, method: str, answering: Answering, public: bool = False) -> Route:
    """A route whose requests are counted, and whose errors become answers."""

    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        service: Service = request.app.state.service
        try:
            require_host(request, service.known_as)
            if not public:
                require_token(request, service.settings.token)
            response = await answering(service, request)
        except RefusedError as error:
            response = _refused(error)
        except Exception:
            log.exception("%s %s failed", method, path)
            response = _json({"error": "the service failed; its log says why"}, 500)
        service.measures.answered(path, response.status_code, time.perf_counter() - began)
        return response

    return Route(path, endpoint, methods=[method])


async def _unknown(request: Request, error: Exception) -> Response:
    """A path or method that is not there."""
    del request
    status, why = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    response = _json({"error": why}, status)
    response.headers.update(getattr(error, "headers", None) or {})
    return response


def _refused(error: RefusedError) -> Response:
    response = _json({"error": error.why}, error.status)
    if error.retry_after is not None:
        response.headers["retry-after"] = str(error.retry_after)
    if error.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    if error.status in (408, 413):  # what is left of the body is not read
        response.headers["connection"] = "close"
    return response


def _json(value: object, status: int = 200) -> Response:
    return Response(to_json(value), status, media_type=JSON)
