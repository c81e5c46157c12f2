"""The OpenAPI document of the service."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from recsys_gru import __version__
from recsys_gru.serving.wire import (
    Answer,
    Click,
    Found,
    ItemId,
    K,
    Recommend,
    Similar,
    Strict,
    TextId,
    Trouble,
    Which,
)

KINDS: tuple[type[Strict], ...] = (Recommend, Click, Answer, Similar, Found, Trouble)
REFUSALS = {
    "400": "The request cannot be read, or asks for a Host that this service is not.",
    "401": "The bearer token is missing or wrong.",
    "408": "The request came too slowly.",
    "409": "The service is not set up for this: it keeps no sessions.",
    "413": "The body is larger than the service takes.",
    "415": "The body is not application/json.",
    "422": "A value is of the wrong kind or size; the message names it.",
    "503": "Too much to do, or no place to keep a click: again after Retry-After.",
}
Described = dict[str, Any]


def document() -> Described:
    """The whole document, OpenAPI 3.1."""
    _, schemas = models_json_schema(
        [(kind, "validation") for kind in KINDS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "recsys-gru",
            "version": __version__,
            "description": "What a session may go on with, from the model that serves.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _paths() -> Described:
    session = _parameter("session_id", "path", TextId, "The session.")
    k = _parameter("k", "query", K, "Items wanted.", default=20)
    seen = _parameter("exclude_seen", "query", bool, "Leave out the items of the session.", default=True)
    return {
        "/v1/recommend": {
            "post": _does(
                "Rank what a session may go on with.",
                Answer,
                "400 401 408 409 413 415 422 503",
                body=Recommend,
            )
        },
        "/v1/sessions/{session_id}/clicks": {
            "post": _does(
                "Keep a click, once it is on disk where there is a log, and rank what may follow.",
                Answer,
                "400 401 408 409 413 415 422 503",
                session,
                k,
                seen,
                body=Click,
            )
        },
        "/v1/sessions/{session_id}": {
            "delete": _does("Forget a session.", None, "400 401 409 422 503", session)
        },
        **_items(),
        "/healthz": {"get": _told("The process lives.", "text/plain")},
        "/readyz": {"get": _told("A golden request was answered, and by which model.", "application/json")},
        "/metrics": {"get": _told("Figures for Prometheus.", "text/plain")},
    }


def _items() -> Described:
    item = _parameter("item_id", "path", ItemId, "The item.")
    k = _parameter("k", "query", K, "Items wanted.", default=20)
    which = _parameter("model", "query", Which, "Which model answers.", default="main")
    find = _parameter("find", "query", TextId, "An id, or words of a name.", needed=True)
    return {
        "/v1/items": {
            "get": _does(
                "Find items by an id, or by words of their names; the page's way to pick one.",
                Found,
                "400 401 422 503",
                find,
                k,
                which,
            )
        },
        "/v1/items/{item_id}/similar": {
            "get": _does(
                "Rank the items most like one.", Similar, "400 401 404 422 503", item, k, which, missing=True
            )
        },
    }


def _parameter(
    name: str,
    where: str,
    kind: Any,  # noqa: ANN401 - any type
    says: str,
    default: object = None,
    needed: bool = False,
) -> Described:
    schema = TypeAdapter(kind).json_schema()
    if default is not None:
        schema["default"] = default
    return {
        "name": name,
        "in": where,
        "required": needed or where == "path",
        "description": says,
        "schema": schema,
    }


def _does(
    says: str,
    answer: type[Strict] | None,
    refusals: str,
    *parameters: Described,
    body: type[Strict] | None = None,
    missing: bool = False,
) -> Described:
    done = (
        {"200": _content("The answer.", answer.__name__)}
        if answer is not None
        else {"204": {"description": "Forgotten, or never known."}}
    )
    known = REFUSALS | ({"404": "The model does not know the item, or compares none."} if missing else {})
    done |= {code: _content(known[code], "Trouble") for code in refusals.split()}
    found: Described = {"summary": says, "parameters": list(parameters), "responses": done}
    if body is not None:
        schema = {"$ref": f"#/components/schemas/{body.__name__}"}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _content(says: str, kind: str) -> Described:
    schema = {"$ref": f"#/components/schemas/{kind}"}
    return {"description": says, "content": {"application/json": {"schema": schema}}}


def _told(says: str, kind: str) -> Described:
    return {
        "summary": says,
        "security": [],
        "responses": {
            "200": {"description": says, "content": {kind: {}}},
            "400": _content(REFUSALS["400"], "Trouble"),
            "503": {"description": "Not now.", "content": {kind: {}}},
        },
    }
