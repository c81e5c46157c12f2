"""A tracking server that takes its time neither holds up a training nor loses anything of it."""

import http.client
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recsys_gru import tracking
from recsys_gru.tracking.delivery.courier import Courier, send_left_over
from recsys_gru.tracking.delivery.outbox import Outbox, Target
from recsys_gru.tracking.delivery.records import Logged, Opened
from recsys_gru.tracking.delivery.store import EXPERIMENT, store_at
from tests.tracking.helpers import announce_evaluation, announce_fit, client_of, runs_of
from tests.tracking.servers import free_port, mlflow_server

EPOCHS = 12
DROPPED = {"transfer-encoding", "connection", "content-length"}


class Delay:
    """How long each request is held back, in seconds; may be changed while the server runs."""

    seconds = 0.0


@contextmanager
def slow_server(port: int, delay: Delay) -> Iterator[str]:
    """A server on loopback that passes every request on to the one at the port, after a sleep."""

    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            if self.path != "/health":
                time.sleep(delay.seconds)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            behind = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            behind.request(self.command, self.path, body, dict(self.headers))
            answer = behind.getresponse()
            said = answer.read()
            behind.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in DROPPED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 - the names http.server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_a_slow_server_holds_up_no_training_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    delay, port = Delay(), free_port()
    with mlflow_server(tmp_path / "server", port), slow_server(port, delay) as uri:
        with tracking.run(uri, name="first: the experiment is made"):
            pass
        delay.seconds = 0.5
        with tracking.run(uri, name="slow"):
            began = time.monotonic()
            announce_evaluation(announce_fit(EPOCHS))
            training = time.monotonic() - began
        whole = time.monotonic() - began
        assert whole > EPOCHS * delay.seconds, "the server was not slow: the test shows nothing"
        assert training < whole / 2

        delay.seconds = 3.0
        outbox = Outbox.new(store_at(uri).outbox, Target(uri, EXPERIMENT))
        courier = Courier(store_at(uri), outbox)
        courier.put(Opened("late", "too slow to wait for", 1, {}, None))
        for epoch in range(EPOCHS):
            courier.put(Logged("late", [("train/loss", float(epoch), 1, epoch)]))
        with caplog.at_level(logging.WARNING, "recsys_gru"):
            assert courier.close(seconds=0.2) > 0
        assert "go out with the next run" in caplog.text

        delay.seconds = 0.0
        assert send_left_over(store_at(uri)) == 0
        runs = runs_of(uri)
        client = client_of(uri)
        for name in ("Popularity", "too slow to wait for"):
            assert len(client.get_metric_history(runs[name].info.run_id, "train/loss")) == EPOCHS
        assert runs["Popularity"].info.status == "FINISHED"
        assert "test/mrr_at_20" in runs["Popularity"].data.metrics
