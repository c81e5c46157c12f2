"""A password in a tracking URI is in no message, log, note or name of the library."""

import logging
import pickle
import subprocess
import traceback
from pathlib import Path

import pytest

from recsys_gru.errors import ParameterError, RecsysError, TrackingError, hiding_secrets, without_secrets
from recsys_gru.tracking import Registry, run
from recsys_gru.tracking.dashboard import server_command
from recsys_gru.tracking.delivery.outbox import Outbox, Target
from recsys_gru.tracking.delivery.records import Ended
from recsys_gru.tracking.delivery.store import Store, connect, store_at
from recsys_gru.tracking.retention import _collect_garbage

SECRET = "geh3im"  # noqa: S105 - none
WITH_SECRETS = [
    f"postgresql://shop:{SECRET}@db:5432/runs",
    f"postgresql+psycopg://shop:a@{SECRET}@db/runs?sslmode=require",
    f"postgresql://db/runs?user=shop&password={SECRET}&x=1",
    f"mysql://shop:{SECRET}/{SECRET}@db/runs",
    f"http://shop:{SECRET}@127.0.0.1:9/",
    f"https://{SECRET}@example.org/api",
    f"https://example.org/x?access_token={SECRET}",
    f"https://example.org/x?a=1&X-Amz-Signature={SECRET}",
    f"connection failed: user=shop password={SECRET} host=db",
    f"two: postgresql://a:{SECRET}@x/y and 'mysql://b:{SECRET}@z/w'",
]
WITHOUT = [
    "http://127.0.0.1:5000/#/experiments/1/runs?mail=a@b.org",
    "sqlite:////srv/mlruns/mlflow.db",
    "postgresql://shop@db/runs",
    "expected k of at least 1, got 0: set it so and fit again",
    "a@b.org: no, 12:30 at http://host/path",
]


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_a_secret_is_hidden_and_the_rest_stays(text: str) -> None:
    shown = without_secrets(text)
    assert SECRET not in shown
    assert "***" in shown
    assert without_secrets(shown) == shown
    assert SECRET not in str(TrackingError(f"no answer from {text}: start it"))
    assert SECRET not in repr(ParameterError(text))
    assert SECRET not in repr(Store(text, Path("mlruns")))
    assert SECRET not in repr(Target(text, "shop"))


@pytest.mark.parametrize("text", WITHOUT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_errors_of_others_are_told_without_secrets() -> None:
    from mlflow.exceptions import MlflowException

    error = hiding_secrets(MlflowException(f"API request to {WITH_SECRETS[4]} failed"))
    assert SECRET not in str(error) + repr(error) + error.message


def test_an_error_is_pickled_whole() -> None:
    error = pickle.loads(pickle.dumps(ParameterError("wrong", 5)))  # noqa: S301 - our own
    assert error.args == ("wrong", 5)


def test_a_server_that_does_not_answer_is_told_of_without_its_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = WITH_SECRETS[4]
    for call in (
        lambda: connect(store_at(where)),
        lambda: Registry(where),
        lambda: server_command(where, 5000),
    ):
        with pytest.raises(RecsysError) as caught:
            call()
        said = "".join(traceback.format_exception(caught.value))
        assert SECRET not in said.replace(f"{where!r}", "")
    with caplog.at_level(logging.DEBUG), run(where, name="shop"):
        pass
    assert "127.0.0.1:9" in caplog.text
    assert SECRET not in caplog.text


def test_the_dashboards_command_line_bears_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_gru.tracking.dashboard.connect", lambda _: None)
    monkeypatch.chdir(tmp_path)
    command, surroundings = server_command(WITH_SECRETS[0], 5000)
    assert SECRET not in " ".join(command)
    assert surroundings["MLFLOW_BACKEND_STORE_URI"] == WITH_SECRETS[0]


@pytest.mark.parametrize("uri", WITH_SECRETS[:8])
def test_what_waits_on_disk_bears_no_password_and_is_found_again_also_by_a_new_one(
    tmp_path: Path, uri: str
) -> None:
    outbox = Outbox.new(tmp_path, Target(uri, "shop"))
    outbox.put(Ended("t", "FINISHED", 1))
    assert outbox.close() == 1
    for path in (file for file in tmp_path.rglob("*") if file.is_file()):
        assert SECRET not in path.read_text()
    assert list(Outbox.left_over(tmp_path, "sqlite:///another")) == []
    (found,) = Outbox.left_over(tmp_path, uri.replace(SECRET, "n3u"))
    assert len(found.pending()) == 1


def test_the_clean_up_bears_no_password_where_processes_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ran(command: list[str], **given: object) -> subprocess.CompletedProcess[str]:
        asked.append((command, given))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("recsys_gru.tracking.retention.subprocess.run", ran)
    _collect_garbage(Store(WITH_SECRETS[0], tmp_path), ["run"], ["model"])
    ((command, given),) = asked
    assert SECRET not in " ".join(command)
    assert WITH_SECRETS[0] in dict(given["env"]).values()  # type: ignore[call-overload]
