"""The clicks of sessions, where the service keeps them: in memory, or in Redis for several processes.

What is kept are ids, so that a new model takes up every session as it is; what a model has made of them lies
in `states`.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, final

from recsys_gru.errors import ParameterError
from recsys_gru.serving.refusal import busy
from recsys_gru.serving.settings import Settings
from recsys_gru.serving.states import Ids

PREFIX = "recsys-gru:session:"
PATIENCE = 0.5
"""Seconds that Redis may take to answer."""


class Sessions(Protocol):
    """Where clicks are kept by session."""

    async def items(self, session: str) -> Ids:
        """The clicks kept, oldest first; none for an unknown session."""
        ...

    async def add(self, session: str, item: int | str) -> Ids:
        """Keep one more click; the clicks that are kept in this process now, none of those in Redis."""
        ...

    async def forget(self, session: str) -> bool:
        """Drop a session; whether there was one."""
        ...

    def count(self) -> int:
        """Sessions kept here; those in Redis are not counted."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


@final
class InMemory:
    """Sessions of this process: those longest without a click go first, and each after a time.

    Args:
        ttl: seconds without a click.
        longest: clicks of a session.
        most: sessions.
        clock: seconds that only grow.
        gone: is told of each session that is forgotten.
    """

    def __init__(
        self,
        ttl: float,
        longest: int,
        most: int,
        clock: Callable[[], float],
        gone: Callable[[str], object],
    ) -> None:
        self._ttl, self._longest, self._most, self._clock, self._gone = ttl, longest, most, clock, gone
        self._kept: OrderedDict[str, tuple[float, Ids]] = OrderedDict()

    async def items(self, session: str) -> Ids:
        found = self._kept.get(session)
        return found[1] if found is not None and found[0] > self._clock() else ()

    async def add(self, session: str, item: int | str) -> Ids:
        now, found = self._clock(), self._kept.get(session)
        before = found[1] if found is not None and found[0] > now else ()
        ids = (*before, item)[-self._longest :]
        self._kept[session] = now + self._ttl, ids
        self._kept.move_to_end(session)
        while self._kept and (len(self._kept) > self._most or next(iter(self._kept.values()))[0] <= now):
            self._gone(self._kept.popitem(last=False)[0])
        return ids

    async def forget(self, session: str) -> bool:
        self._gone(session)
        return self._kept.pop(session, None) is not None

    def count(self) -> int:
        return len(self._kept)

    async def close(self) -> None:
        self._kept.clear()


@final
class InRedis:
    """Sessions in a Redis server, for several processes and machines; it forgets them by itself.

    Raises:
        ParameterError: where the library is not installed, or the address is none.
    """

    def __init__(self, address: str, ttl: float, longest: int) -> None:
        try:
            from redis.asyncio import Redis
        except ModuleNotFoundError as error:
            raise ParameterError(
                "sessions in Redis need its library: pip install 'recsys-gru[redis]'"
            ) from error
        try:
            self._redis = Redis.from_url(address, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        except ValueError as error:
            raise ParameterError(f"expected the address of a Redis server: {error}") from error
        self._ttl, self._longest = round(ttl * 1000), longest

    async def items(self, session: str) -> Ids:
        from redis.exceptions import RedisError

        try:
            found = await self._redis.lrange(PREFIX + session, 0, -1)
        except RedisError as error:
            raise busy(f"the sessions cannot be read: {error}") from error
        return tuple(json.loads(one) for one in found)

    async def add(self, session: str, item: int | str) -> Ids:
        from redis.exceptions import RedisError

        key = PREFIX + session
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, json.dumps(item))
                pipe.ltrim(key, -self._longest, -1)
                pipe.pexpire(key, self._ttl)
                await pipe.execute()
        except RedisError as error:
            raise busy(f"the session cannot be written: {error}") from error
        return ()

    async def forget(self, session: str) -> bool:
        from redis.exceptions import RedisError

        try:
            return bool(await self._redis.delete(PREFIX + session))
        except RedisError as error:
            raise busy(f"the session cannot be forgotten: {error}") from error

    def count(self) -> int:
        return 0

    async def close(self) -> None:
        await self._redis.aclose()


def sessions_of(settings: Settings, gone: Callable[[str], object]) -> Sessions | None:
    """Where a service keeps its sessions; None where it keeps none.

    Args:
        gone: is told of each session of this process that is forgotten.
    """
    if settings.sessions == "none":
        return None
    kept = settings.session_ttl, settings.session_items
    if settings.sessions == "memory":
        return InMemory(*kept, settings.most_sessions, time.monotonic, gone)
    return InRedis(settings.sessions, *kept)
