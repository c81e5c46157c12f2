"""The notebooks run, cell by cell, and say nothing but what they mean to."""

import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
PAGES = sorted(page.stem for page in FOLDER.glob("*.md"))
OF_DAGSTER = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
NO_HISTORY = Config({"HistoryManager": {"enabled": False}})

pytestmark = pytest.mark.slow


@pytest.fixture
def shell(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """What runs the cells within a kernel, in a folder of its own."""
    shutil.copytree(template, tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    for name, value in {**QUIET, "IPYTHONDIR": str(tmp_path / "ipython")}.items():
        monkeypatch.setenv(name, value)
    log = logging.getLogger("recsys_gru")
    level = log.level
    with plt.rc_context({"backend": "agg"}):
        yield InteractiveShell(config=NO_HISTORY)  # type: ignore[no-untyped-call] # IPython's
    plt.close("all")
    log.setLevel(level)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=OF_DAGSTER if name == "nightly" else ()) for name in PAGES]
)
def test_a_notebook_runs_without_an_error_or_a_warning(
    name: str, shell: InteractiveShell, caplog: pytest.LogCaptureFixture
) -> None:
    others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}  # of earlier tests
    cells = jupytext.read(FOLDER / f"{name}.md").cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert len(code) >= 4
    for cell in code:
        with capture_output() as said:
            result = shell.run_cell(cell, store_history=True)  # type: ignore[no-untyped-call] # as above
        result.raise_error()
        assert not said.stderr, cell
    assert plt.get_fignums()
    records = [record for record in caplog.records if record.thread not in others]
    assert not [record.getMessage() for record in records if record.levelno >= logging.WARNING]


def test_every_notebook_is_listed_by_the_tutorials() -> None:
    said = (FOLDER.parent / "tutorials.md").read_text(encoding="utf-8")
    assert len(PAGES) == 8
    assert not [name for name in PAGES if f"(notebooks/{name}.md)" not in said]
