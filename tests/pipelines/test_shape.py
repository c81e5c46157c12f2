"""The pipelines keep the library's rules: who imports whom, small files, nothing heavy before its time."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_package import HEAVY, LONGEST_BODY, LONGEST_FILE, PACKAGE, ROOT, imports_of

FILES = sorted((ROOT / "pipelines").rglob("*.py"))
STAGES = ["ingest", "sessions", "train", "evaluate", "promote", "recommend"]
SCHEDULER = {"dagster_assets", "schedule"}
"""The only modules that know the scheduler; nobody else imports them."""


def imported_first(path: Path) -> Iterator[str]:
    """The modules that a file imports when it is loaded."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_the_library_knows_nothing_of_the_pipelines() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not [name for name in imports_of(path) if name.split(".")[0] == "pipelines"], path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_pipelines_file_is_small_and_prints_nothing_and_loads_nothing_heavy(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] or node.body
            assert (body[-1].end_lineno or 0) - body[0].lineno < LONGEST_BODY, node.name
        assert not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        )
    assert not {name.split(".")[0] for name in imported_first(path)} & set(HEAVY)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_tracking_store_and_the_scheduler_are_known_to_their_files_only(path: Path) -> None:
    names = set(imports_of(path))
    roots = {name.split(".")[0] for name in names}
    assert not roots & {"mlflow", "torch", "optuna"}
    if path.stem not in SCHEDULER:
        assert "dagster" not in roots
        assert not names & {f"pipelines.{module}" for module in SCHEDULER}


@pytest.mark.parametrize("number", range(len(STAGES)), ids=STAGES)
def test_a_stage_knows_only_the_stages_before_it(number: int) -> None:
    path = ROOT / "pipelines" / f"{STAGES[number]}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             if node.module == "pipelines" for alias in node.names}  # fmt: skip
    known = whole | {name.removeprefix("pipelines.") for name in imports_of(path)}
    assert not known & {*STAGES[number + 1 :], "nightly", "backfill", "status"}


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom pipelines.__main__ import main\n"
        "try: main(['--help'])\n"
        f"finally: print('loaded', [name for name in {(*HEAVY, 'dagster')} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    assert "rollback" in said
    assert said.endswith("loaded []\n")
