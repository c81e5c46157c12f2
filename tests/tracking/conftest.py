"""An empty MLflow store for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def quiet_mlflow() -> Iterator[None]:
    """MLflow tells nobody about the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield


@pytest.fixture
def mlruns(template: Path, tmp_path: Path) -> Path:
    """A store's folder of the test's own."""
    return Path(shutil.copytree(template, tmp_path / "mlruns"))
