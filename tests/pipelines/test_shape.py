"""The pipelines keep the library's rules: who imports whom, small files, nothing heavy before its time."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_package import HEAVY, PACKAGE, ROOT, help_of, imports_of, require_silent, require_small

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
    require_small(path)
    require_silent(path)
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
    assert "rollback" in help_of("pipelines.__main__", (*HEAVY, "dagster"))
