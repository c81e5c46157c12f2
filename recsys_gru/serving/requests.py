"""A request at the door: its token, its body and its parameters, or the reason why it goes no further."""

import asyncio
import hmac
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request

from recsys_gru.serving.refusal import RefusedError

Value = TypeVar("Value")
JSON = "application/json"
NOTHING = QueryParams()


def require_host(request: Request, names: frozenset[str] | None) -> None:
    """Refuse a request that asks for somebody else; one that names nobody comes from no browser.

    Raises:
        RefusedError: 400.
    """
    given = request.headers.get("host", "").lower()
    name, bracket, _ = given.removeprefix("[").partition("]")
    if names is not None and given and (name if bracket else given.partition(":")[0]) not in names:
        raise RefusedError(
            400, f"this service is not known as {given[:80]!r}: start it with --allow-host NAME"
        )


def require_token(request: Request, token: str | None) -> None:
    """Refuse a request without the token.

    Raises:
        RefusedError: 401.
    """
    if token is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise RefusedError(401, "expected the header Authorization: Bearer TOKEN")


async def body_of(request: Request, largest: int, slow: float) -> bytes:
    """The JSON body, as long as it is neither too large nor too slow.

    Raises:
        RefusedError: 400, 408, 413 or 415.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise RefusedError(415, f"expected a body of {JSON}, got {kind[:80] or 'none'}")
    told = request.headers.get("content-length", "0")
    if told.isdigit() and int(told) > largest:
        raise _too_large(largest)
    parts, size = [], 0
    try:
        async with asyncio.timeout(slow):
            async for part in request.stream():
                size += len(part)
                if size > largest:
                    raise _too_large(largest)
                parts.append(part)
    except TimeoutError as error:
        raise RefusedError(408, f"the body was not there after {slow:g} s") from error
    except ClientDisconnect as error:
        raise RefusedError(400, "the client left before its body was there") from error
    return b"".join(parts)


def value_of(kind: TypeAdapter[Value], text: str, name: str) -> Value:
    """A value of the address, where everything is text.

    Raises:
        RefusedError: 422.

    >>> value_of(TypeAdapter(int), "20", "k")
    20
    """
    try:
        return kind.validate_strings(text, strict=True)
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
        raise RefusedError(422, f"{name}: {said}") from None


def query_of(request: Request) -> QueryParams:
    """What stands behind the question mark."""
    query = request.scope["query_string"]
    return QueryParams(query) if query else NOTHING


def asked(query: QueryParams, name: str, kind: TypeAdapter[Value], default: Value) -> Value:
    """A parameter behind the question mark.

    Raises:
        RefusedError: 422.
    """
    given = query.getlist(name)
    if not given:
        return default
    if len(given) > 1:
        raise RefusedError(422, f"{name}: expected it once, got it {len(given)} times")
    return value_of(kind, given[0], name)


def require_known(query: QueryParams, *names: str) -> None:
    """Refuse parameters that mean nothing here: they are slips.

    Raises:
        RefusedError: 422.
    """
    if query and (strange := sorted(set(query) - set(names))):
        raise RefusedError(
            422, f"there is no parameter {strange[0][:80]!r}; there are {', '.join(names) or 'none'}"
        )


def _too_large(largest: int) -> RefusedError:
    return RefusedError(413, f"expected a body of at most {largest:,} bytes")
