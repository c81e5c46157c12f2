"""What the tracking tests share."""

import contextvars
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun

from recsys_gru.baselines import Popularity
from recsys_gru.contract.toy import clicks_of
from recsys_gru.evaluation import Report, evaluate
from recsys_gru.observers import EpochEnded, announce, fitting
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.delivery import EXPERIMENT, connect, store_at

SESSIONS = Sessions.from_events(clicks_of("abc", "abd", "bcd", "cab", "bad"))
VALIDATION = Sessions.from_events(clicks_of("ab", "cd"), SESSIONS.vocabulary)
TEST = Sessions.from_events(clicks_of("abcd", "dz"), SESSIONS.vocabulary)


@dataclass(frozen=True)
class Epoch:
    """Has the fields of an epoch's report."""

    epoch: int
    loss: float
    events: int
    seconds: float
    events_per_second: float
    metrics: dict[str, float]


def fitted() -> Popularity:
    """A model of the five sessions, fitted where nobody listens."""
    return contextvars.Context().run(Popularity().fit, SESSIONS)


def announce_fit(epochs: int = 3, error: Exception | None = None) -> Popularity:
    """Play a fit with epochs; the model itself is popularity."""
    model = fitted()
    with fitting(model, SESSIONS, VALIDATION):
        for epoch in range(1, epochs + 1):
            report = evaluate(model, VALIDATION)
            announce(
                EpochEnded(model, Epoch(epoch, 6.0 / epoch, 10, 0.5, 20.0, {"mrr_at_20": report.mrr[20]}))
            )
        if error is not None:
            raise error
    return model


def announce_evaluation(model: Popularity) -> Report:
    """Evaluate on the test sessions, which says so."""
    return evaluate(model, TEST)


def client_of(where: str | Path) -> MlflowClient:
    """A client of the store."""
    return connect(store_at(where))


def runs_of(where: str | Path, experiment: str = EXPERIMENT) -> dict[str, MlflowRun]:
    """All runs by the first part of their name, without data and date; names must differ."""
    client = client_of(where)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    names = [short_name(run) for run in runs]
    assert len(set(names)) == len(names)
    return dict(zip(names, runs, strict=True))


def short_name(run: MlflowRun) -> str:
    """What stands before data and date: a model's class, ``compare shop``."""
    return re.sub(r"( on [^,]*)?, \d{4}-\d\d-\d\d \d\d:\d\d$", "", str(run.info.run_name))


@contextmanager
def unseeded() -> Iterator[None]:
    """Fails if the block draws from NumPy's global generator."""
    before = str(np.random.get_state())  # noqa: NPY002 - the global generator is what we watch
    yield
    assert str(np.random.get_state()) == before  # noqa: NPY002 - as above


def started(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process that has printed its line and now waits."""
    call = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    """With -9, and wait until it is gone."""
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
