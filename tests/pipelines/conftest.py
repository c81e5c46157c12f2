"""Nights that take seconds: a small model on a short log, with a store of their own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_gru.tracking.delivery import connect, store_at
from tests.pipelines.nights import Home


@pytest.fixture(scope="session", autouse=True)
def quiet_mlflow() -> Iterator[None]:
    """MLflow tells nobody about the tests, and draws no bars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a migrated store without experiments of ours: a new one takes seconds, a copy none."""
    folder = tmp_path_factory.mktemp("template") / "mlruns"
    connect(store_at(folder))
    return folder


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    """A project of the test's own, with a made-up log of six days from 2026-01-01 on."""
    made = Home(tmp_path)
    shutil.copytree(template, made.mlruns)
    made.land_generated()
    made.configure()
    return made


@pytest.fixture
def ready(home: Home) -> Home:
    """A project with all days before taken in."""
    home.take_in_before()
    return home
