"""A migrated, empty MLflow store: made once, copied for each test (a new one takes seconds, a copy none)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_gru.tracking.delivery import connect, store_at


@pytest.fixture(scope="session", autouse=True)
def quiet_mlflow() -> Iterator[None]:
    """MLflow tells nobody about the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store without experiments of ours."""
    folder = tmp_path_factory.mktemp("template") / "mlruns"
    connect(store_at(folder))
    return folder


@pytest.fixture
def mlruns(template: Path, tmp_path: Path) -> Path:
    """A store's folder of the test's own."""
    return Path(shutil.copytree(template, tmp_path / "mlruns"))
