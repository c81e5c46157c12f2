"""Sessions in memory and in a real Redis: the same clicks, the same forgetting."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_gru.errors import ParameterError
from recsys_gru.serving import Settings
from recsys_gru.serving.recent import MOST, Recent
from recsys_gru.serving.refusal import RefusedError
from recsys_gru.serving.sessions import PATIENCE, InMemory, InRedis, Sessions
from tests.serving.running import process, redis_in, running, wait_for


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for these tests."""
    with redis_in(tmp_path_factory.mktemp("redis")) as (address, _):
        yield address


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_the_newest_clicks_of_a_session_are_kept_in_order_until_it_is_forgotten(
    where: str, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue("redis") if where == "redis" else ""

    async def main() -> None:
        kept: Sessions = InRedis(address, 60, 3) if address else InMemory(60, 3, 10, time.monotonic, bool)
        assert await kept.items("a") == ()
        for item in (1, "two", 3, 'q"\n'):
            await kept.add("a", item)
        await kept.add("b", 9)
        assert await kept.items("a") == ("two", 3, 'q"\n')
        assert await kept.items("b") == (9,)
        assert await kept.forget("a")
        assert not await kept.forget("a")
        assert await kept.items("a") == ()
        await kept.close()

    asyncio.run(main())


def test_redis_forgets_after_a_time(redis: str) -> None:
    async def main() -> None:
        kept = InRedis(redis, 0.2, 3)
        await kept.add("brief", 1)
        assert await kept.items("brief") == (1,)
        await asyncio.sleep(0.4)
        assert await kept.items("brief") == ()
        await kept.close()

    asyncio.run(main())


def test_memory_forgets_after_a_time_and_the_longest_silent_first() -> None:
    async def main() -> None:
        now = [0.0]
        kept = InMemory(10, 5, 3, lambda: now[0], bool)
        for moment, name in enumerate("abca"):
            now[0] = float(moment)
            await kept.add(name, moment)
        await kept.add("d", 4)
        assert [await kept.items(name) for name in "abcd"] == [(0, 3), (), (2,), (4,)]
        now[0] = 12.5
        assert [await kept.items(name) for name in "acd"] == [(0, 3), (), (4,)]
        await kept.add("e", 5)
        assert kept.count() == 3
        now[0] = 100.0
        await kept.add("f", 6)
        assert kept.count() == 1

    asyncio.run(main())


@pytest.mark.slow
def test_the_command_holds_so_many_sessions_and_no_more(folder: Path) -> None:
    with process(folder, "--sessions", "memory", "--most-sessions", "2") as service:
        for name in "abc":
            service.click(name, 100)
        assert [service.recommend(session_id=name).body["known"] for name in "abc"] == [0, 1, 1]
        assert service.figure("sessions") == 2


def test_a_redis_that_is_not_there_is_said_and_answers_without_sessions_go_on(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"redis://user:secret@127.0.0.1:{free.getsockname()[1]}"
    with running(Settings(str(folder), port=0, sessions=nobody)) as service:
        refused = service.click("a", 100)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "secret" not in str(refused)
        assert service.recommend(items=[100]).status == 200


def test_a_redis_that_stands_still_is_refused_in_time_and_taken_up_again(
    folder: Path, tmp_path: Path
) -> None:
    with (
        redis_in(tmp_path) as (address, server),
        running(Settings(str(folder), port=0, sessions=address)) as service,
    ):
        assert service.click("a", 100).body["known"] == 1
        server.send_signal(signal.SIGSTOP)
        for method, path, body in (
            ("POST", "/v1/sessions/a/clicks", {"item_id": 104}),
            ("POST", "/v1/recommend", {"session_id": "a"}),
            ("DELETE", "/v1/sessions/a", None),
        ):
            began = time.monotonic()
            refused = service.ask(method, path, body)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert time.monotonic() - began < 4 * PATIENCE
        assert service.recommend(items=[100]).status == 200
        server.send_signal(signal.SIGCONT)
        wait_for(lambda: service.click("b", 100).status == 200)
        assert service.click("b", 104).body["known"] == 2


def test_two_services_share_their_sessions_in_redis(folder: Path, redis: str) -> None:
    told = Settings(str(folder), port=0, sessions=redis)
    with running(told) as one, running(told) as two:
        one.click("shared", 100)
        assert two.click("shared", 104).body["known"] == 2
        assert one.recommend(session_id="shared").body["known"] == 2


def test_what_cannot_be_is_refused(folder: Path) -> None:
    with pytest.raises(ParameterError, match="none, memory or redis"):
        Settings(str(folder), sessions="mongo")
    with pytest.raises(ParameterError, match="several workers"):
        Settings(str(folder), sessions="memory", workers=2)
    with pytest.raises(ParameterError, match="deadline"):
        Settings(str(folder), deadline=0)
    with pytest.raises(ParameterError, match="queue"):
        Settings(str(folder), queue=0)
    with pytest.raises(ParameterError, match="blank"):
        Settings(str(folder), token=" ")
    assert issubclass(RefusedError, Exception)


def test_recent_clicks_count_half_after_an_hour_and_rare_items_go_first() -> None:
    recent = Recent()
    for item, moment in (("old", 0), ("old", 0), ("old", 0), ("new", 7200), ("newer", 7200), ("newer", 7201)):
        recent.add(item, moment)
    assert [item for item, _ in recent.best(7202)] == ["newer", "new", "old"]
    recent.add("new", 1e9)  # many half-lives later
    assert recent.best(1e9)[0][0] == "new"
    for number in range(MOST + 5):
        recent.add(number, 1e9)
    recent.add(7, 1e9)
    assert recent.best(1e9 + 2)[0][0] in (7, "new")
    assert len(recent._weights) <= MOST
