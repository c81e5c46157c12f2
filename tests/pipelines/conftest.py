"""Nights that take seconds: a small model on a short log, with a store of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.plumbing.errors import DONE
from tests.pipelines import hours
from tests.pipelines.nights import Home, begun


@pytest.fixture(scope="session", autouse=True)
def quiet_mlflow() -> Iterator[None]:
    """MLflow tells nobody about the tests, and draws no bars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        yield


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    """A project of the test's own."""
    return begun(template, tmp_path)


@pytest.fixture
def ready(home: Home) -> Home:
    """A project with all days before taken in."""
    home.take_in_before()
    return home


@pytest.fixture(scope="session")
def served(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A project whose first night has made a champion; to be copied, not changed."""
    made = begun(template, tmp_path_factory.mktemp("served"))
    made.take_in_before()
    assert made.run() == DONE
    return made


@pytest.fixture
def serving(served: Home, tmp_path: Path) -> Home:
    """The same, of the test's own."""
    return served.copied_to(tmp_path)


@pytest.fixture(scope="session")
def begun_day(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Home:
    """A project with a champion and the landed periods of a day; to be copied, not changed."""
    return hours.prepared(tmp_path_factory.mktemp("fresh") / "home", template)


@pytest.fixture(scope="session")
def whole_day(begun_day: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same after a day of updates, one by one; to be looked at, not changed."""
    home = hours.copied(begun_day, tmp_path_factory.mktemp("day") / "home")
    assert hours.fresh(home, *hours.HOURS) == [DONE] * 4
    return home
