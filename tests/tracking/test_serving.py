"""The registered champion behind `mlflow models serve`, asked over HTTP as a client would."""

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_gru.tracking.delivery import store_at
from recsys_gru.tracking.registry import Registry
from tests.tracking.helpers import fitted
from tests.tracking.servers import free_port, process

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def invocations(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a served model."""
    store = Path(shutil.copytree(template, tmp_path_factory.mktemp("served") / "mlruns"))
    registry = Registry(store, "served")
    registry.promote(registry.register(fitted()), "the first one")
    port, bin_folder = free_port(), str(Path(sys.executable).parent)
    surroundings = {
        **os.environ,
        "MLFLOW_TRACKING_URI": store_at(store).uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": os.pathsep.join([bin_folder, os.environ["PATH"]]),
    }
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/served@champion"]
    command += ["--env-manager", "local", "--port", str(port), "--workers", "1"]
    with process(command, surroundings, f"http://127.0.0.1:{port}/ping"):
        yield f"http://127.0.0.1:{port}/invocations"


def ask(address: str, question: object) -> tuple[int, object]:
    """Status and answer of a POST."""
    body = question if isinstance(question, bytes) else json.dumps(question).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_sessions_are_answered_as_the_model_answers_them(invocations: str) -> None:
    status, said = ask(
        invocations, {"dataframe_records": [{"items": ["a"]}, {"items": ["zz"]}], "params": {"k": 2}}
    )
    assert status == 200
    assert isinstance(said, dict)
    first, second = said["predictions"]
    assert first["items"] == fitted().recommend_one(["a"], k=2)["item_id"].to_list()
    assert (first["source"], second["source"]) == ("model", "popularity")


def test_deny_and_seen_are_obeyed(invocations: str) -> None:
    question = {
        "dataframe_records": [{"items": ["a"], "deny": ["b"]}],
        "params": {"k": 4, "exclude_seen": False},
    }
    status, said = ask(invocations, question)
    assert status == 200
    assert isinstance(said, dict)
    assert set(said["predictions"][0]["items"]) == {"a", "c", "d"}


@pytest.mark.parametrize(
    "question",
    [
        b"{not json",
        {"dataframe_records": [{"clicks": ["a"]}]},
        {"dataframe_records": [{"items": "a"}]},
        {"dataframe_records": [{"items": [1, 2]}]},
        {"dataframe_records": [{"items": ["a"]}], "params": {"k": "many"}},
        {"dataframe_records": [{"items": ["a"]}], "params": {"k": 0}},
        {"dataframe_records": [{"items": ["a"] * 2000}]},
    ],
)
def test_a_bad_question_is_refused_and_the_server_lives(invocations: str, question: object) -> None:
    status, said = ask(invocations, question)
    assert status == 400, said
    assert ask(invocations, {"dataframe_records": [{"items": ["a"]}]})[0] == 200
