"""The pipelines keep the library's rules: who imports whom, small files, nothing heavy before its time."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.stages import STAGES as TABLE
from tests.test_package import HEAVY, PACKAGE, ROOT, help_of, imports_of, require_silent, require_small

HOME = ROOT / "pipelines"
FILES = sorted(HOME.rglob("*.py"))
ROOMS = {"fresh", "plumbing", "stages"}
STAGES = ["ingest", "sessions", "champion", "train", "evaluate", "promote", "recommend"]
"""The files of stages/ in the order in which they may know each other."""
FRESH = ["take", "stream", "learn", "guard", "tell", "alias", "measure", "job", "watch"]
"""Likewise of fresh/."""
OUTSIDE = {
    "recsys_gru",
    "recsys_gru.cli",
    "recsys_gru.evaluation",
    "recsys_gru.files",
    "recsys_gru.tracking",
}
"""What the pipelines may import of the library: rooms, for what these export."""


def name_of(path: Path) -> str:
    """The name of a file's module, from `pipelines` on."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def named(path: Path, node: ast.AST) -> Iterator[str]:
    """Full names of the modules, or of what is taken from a package, that an import statement brings."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        home = name_of(path).split(".")[: -node.level] if node.level else []
        source = ".".join([*home, *([node.module] if node.module else [])])
        is_package = (ROOT / source.replace(".", "/")).is_dir() and source.split(".")[0] == "pipelines"
        yield from (f"{source}.{alias.name}" for alias in node.names) if is_package else (source,)


def known_to(path: Path) -> set[str]:
    """Full names of all that a file imports, wherever it does."""
    return {name for node in ast.walk(ast.parse(path.read_text())) for name in named(path, node)}


def known_first(path: Path) -> set[str]:
    """Full names of what it imports when it is loaded."""
    return {name for node in ast.parse(path.read_text()).body for name in named(path, node)}


def inside(names: set[str]) -> set[tuple[str, ...]]:
    """The names of the pipelines' own modules, in parts, without the first."""
    return {tuple(name.split(".")[1:]) for name in names if name.startswith("pipelines.")}


def test_the_library_knows_nothing_of_the_pipelines() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not [name for name in imports_of(path) if "pipelines" in name.split(".")], path


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_small_and_prints_nothing_and_loads_nothing_heavy(path: Path) -> None:
    require_small(path)
    require_silent(path)
    assert not {name.split(".")[0] for name in known_first(path)} & set(HEAVY)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_import_each_other_relatively_for_they_go_by_two_names(path: Path) -> None:
    tree = ast.walk(ast.parse(path.read_text()))
    whole = [name for node in tree if not getattr(node, "level", 0) for name in named(path, node)]
    assert not [name for name in whole if "pipelines" in name.split(".")]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_of_the_library_only_what_its_rooms_export_is_known(path: Path) -> None:
    used = {name for name in known_to(path) if name.split(".")[0] == "recsys_gru"}
    assert used <= OUTSIDE


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_tracking_store_and_the_scheduler_are_known_to_their_files_only(path: Path) -> None:
    roots = {name.split(".")[0] for name in known_to(path)}
    assert not roots & {"mlflow", "torch", "optuna", "numba", "llvmlite"}
    assert "dagster" not in roots or path.stem == "schedule"
    assert ("schedule",) not in inside(known_first(path))


@pytest.mark.parametrize("path", sorted((HOME / "plumbing").glob("*.py")), ids=name_of)
def test_the_plumbing_knows_only_itself(path: Path) -> None:
    assert {name[0] for name in inside(known_to(path))} <= {"plumbing"}


@pytest.mark.parametrize("stage", [*STAGES, "record"])
def test_a_stage_knows_only_the_stages_before_it(stage: str) -> None:
    known = inside(known_to(HOME / "stages" / f"{stage}.py"))
    before = {("stages", name) for name in ["day_run", *STAGES[: [*STAGES, "record"].index(stage)]]}
    above = {("gate",)} if stage == "promote" else set()
    assert {name for name in known if name[0] != "plumbing"} <= before | above


@pytest.mark.parametrize("name", FRESH)
def test_what_happens_between_the_nights_knows_stages_and_what_goes_before(name: str) -> None:
    known = inside(known_to(HOME / "fresh" / f"{name}.py"))
    before = {("fresh", one) for one in FRESH[: FRESH.index(name)]}
    shared = {("gate",), ("metrics",)}
    assert {one for one in known if one[0] not in {"plumbing", "stages"}} <= before | shared


def test_every_folder_is_a_room_and_every_stage_has_its_place() -> None:
    assert {path.parent.name for path in HOME.glob("*/__init__.py")} == ROOMS
    files = {path.stem for path in (HOME / "stages").glob("*.py")}
    assert files == {"__init__", "day_run", "record", *STAGES}
    assert {path.stem for path in (HOME / "fresh").glob("*.py")} == {"__init__", *FRESH}
    assert [*TABLE] == [*(name for name in STAGES if name != "champion"), "record"]
    assert TABLE["record"].needs == tuple(TABLE.values())[:-1]


def test_help_loads_nothing_heavy() -> None:
    assert "rollback" in help_of("pipelines.command_line", (*HEAVY, "dagster"))
