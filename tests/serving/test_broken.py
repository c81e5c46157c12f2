"""Broken on purpose: what clients should not do, and ends that come in the middle."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys_gru.contract import Question, Ranking
from recsys_gru.serving import Settings, protocol
from tests.serving.running import Client, Here, Reply, process, running, wait_for

EXAMPLES = int(os.environ.get("SERVING_EXAMPLES", "80"))
"""Malformed requests of each kind; the issue's 20,000 are run by hand."""
GOOD = {200, 400, 404, 405, 409, 413, 415, 422}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([100, 101, "100"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["items", "session_id", "k", "exclude_seen", "allow", "deny", "model", "item_id", "time", "consent", "x"]
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "items": st.lists(st.integers(95, 115) | st.text(max_size=3) | st.booleans(), max_size=6),
        "k": st.integers(-2, 600) | st.booleans(),
        "exclude_seen": st.booleans() | st.integers(0, 1),
        "allow": st.lists(st.integers(95, 115), max_size=5),
        "deny": st.lists(st.integers(95, 115), max_size=20),
        "model": st.sampled_from(["main", "beside", "other"]),
    },
)
POSTED = b"POST /v1/recommend HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
OURS = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])


def require_reasonable(reply: Reply) -> None:
    """Answered, or refused with a reason."""
    assert reply.status in GOOD, reply
    if reply.status not in (200, 204):
        assert reply.body["error"]


@OURS
@given(body=st.dictionaries(FIELDS, VALUES, max_size=5) | NEARLY)
def test_any_json_is_answered_or_refused_with_a_reason(service: Here, body: dict[str, object]) -> None:
    sent = json.dumps(body).encode()
    for path in ("/v1/recommend", "/v1/sessions/a/clicks"):
        reply = service.ask("POST", path, sent)
        require_reasonable(reply)
        if reply.status == 200:
            answered_within_what_was_asked(body, reply.body)


def answered_within_what_was_asked(
    asked: dict[str, object], told: dict[str, list[dict[str, object]]]
) -> None:
    """No item twice, none that was denied, none beside those allowed, no more than wanted."""
    items = [str(one["item_id"]) for one in told["items"]]
    k, allow, deny = asked.get("k", 20), asked.get("allow"), asked.get("deny") or []
    assert isinstance(k, int)
    assert isinstance(deny, list)
    assert len(items) == len(set(items)) <= k
    assert not {str(one) for one in deny} & set(items)
    if isinstance(allow, list):
        assert set(items) <= {str(one) for one in allow}


@OURS
@given(
    body=st.binary(max_size=60),
    path=st.text(st.characters(codec="ascii", exclude_characters=" #\r\n"), max_size=20),
    query=st.text(st.sampled_from("k=&exclude_seen%20;+é1"), max_size=20),
)
def test_any_bytes_and_any_path_are_answered_or_refused_with_a_reason(
    service: Here, body: bytes, path: str, query: str
) -> None:
    query = query.encode("utf-8").decode("latin-1").replace("é", "%C3").encode("ascii", "ignore").decode()
    require_reasonable(service.ask("POST", "/v1/recommend", body))
    clean = "".join(letter for letter in path if letter.isprintable())
    for address in (f"/v1/sessions/{clean}/clicks?{query}", f"/{clean}"):
        head = POSTED.replace(b"/v1/recommend", address.encode()) + b"connection: close\r\n"
        reply = raw(service.port, head + b'content-length: 14\r\n\r\n{"item_id": 1}')
        assert int(reply.split(b" ", 2)[1]) in GOOD, reply


def raw(port: int, sent: bytes, seconds: float = 20.0) -> bytes:
    """All that comes back for some bytes."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(sent)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
        return b"".join(parts)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01 nothing\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/recommend HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/recommend HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000,
    ],
)
def test_what_is_no_http_is_refused_and_others_are_answered(service: Here, sent: bytes) -> None:
    assert raw(service.port, sent).startswith(b"HTTP/1.1 400")
    assert service.ask("GET", "/healthz").status == 200


def test_slow_and_half_closed_clients_are_left_and_hold_up_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SLOWEST_HEAD", 0.5)
    head = POSTED + b"content-length: 20\r\n"
    with running(Settings(str(folder), port=0, slow=0.5)) as service:
        began = time.monotonic()
        slow = [socket.create_connection(("127.0.0.1", service.port), 20) for _ in range(200)]
        for number, connection in enumerate(slow):
            connection.sendall((head[:30], head, head + b"\r\n{", b"")[number % 4])
            if number % 8 == 2:
                connection.shutdown(socket.SHUT_WR)
        for _ in range(20):
            assert service.recommend(items=[100]).status == 200
        replies = [connection.recv(4096) for connection in slow]
        assert time.monotonic() - began < 15
        for connection in slow:
            connection.close()
        assert {reply[9:12] for reply in replies if reply} <= {b"408", b"400"}
        assert sum(reply.startswith(b"HTTP/1.1 408") for reply in replies) >= 25
        assert service.recommend(items=[100]).status == 200


def test_clients_that_leave_before_their_answer_leave_nothing_behind(service: Here) -> None:
    body = json.dumps({"items": [100]}).encode()
    sent = POSTED + b"content-length: %d\r\n\r\n" % len(body)
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(sent + body)
    wait_for(lambda: service.ask("GET", "/readyz").body["waiting"] == 0)
    assert service.recommend(items=[100]).status == 200


def test_a_thousand_open_connections_are_held(service: Here) -> None:
    held = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(1000)]
    assert service.recommend(items=[100]).status == 200
    for connection in held:
        connection.close()


def test_more_than_can_be_done_is_refused_with_when_to_come_again(folder: Path) -> None:
    with running(Settings(str(folder), port=0, queue=2)) as service:
        served = service.service.places["main"].served
        rank, found = served.rank, list[Reply]()

        def slowly(questions: Sequence[Question]) -> list[Ranking]:
            time.sleep(0.01)
            return rank(questions)

        object.__setattr__(served, "rank", slowly)
        askers = [
            threading.Thread(target=lambda: found.extend(service.recommend(items=[100]) for _ in range(10)))
            for _ in range(24)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert {reply.status for reply in found} == {200, 503}
        assert all(reply.headers["retry-after"] == "1" for reply in found if reply.status == 503)
        assert all("waiting" in reply.body["error"] for reply in found if reply.status == 503)


@pytest.mark.slow
def test_told_to_end_it_answers_what_has_begun_and_ends(folder: Path, tmp_path: Path) -> None:
    statuses: list[int] = []
    refused = threading.Event()

    def ask(service: Client) -> None:
        while not refused.is_set():
            try:
                statuses.append(service.click("s", 100).status)
            except ConnectionRefusedError:
                refused.set()
            except OSError:
                statuses.append(0)
                return

    with process(folder, "--clicks", tmp_path, "--drain", "5") as service:
        askers = [threading.Thread(target=ask, args=(service,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        wait_for(lambda: len(statuses) > 50)
        assert service.kill(signal.SIGTERM) in (0, -signal.SIGTERM)
        refused.set()
        for asker in askers:
            asker.join()
    assert statuses.count(200) >= len(statuses) - 4  # a connection that was not yet taken up may be reset
    written = sum(len(one.read_text().splitlines()) - 1 for one in tmp_path.rglob("*.csv"))
    assert written >= statuses.count(200)


@pytest.mark.slow
def test_two_workers_share_a_port_a_log_and_their_figures(folder: Path, tmp_path: Path) -> None:
    with process(folder, "--workers", "2", "--clicks", tmp_path) as service:
        wait_for(lambda: len(list(tmp_path.glob("open/*.csv"))) == 2)
        for number in range(60):
            assert service.click("s", number).status == 200
        assert service.figure("clicks_total") == 60
        assert service.kill(signal.SIGTERM) in (0, -signal.SIGTERM)
    written = [line for one in tmp_path.rglob("*.csv") for line in one.read_text().splitlines()[1:]]
    assert len(written) == 60
