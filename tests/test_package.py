"""The package as a whole: its rooms, its names, its documents."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import recsys_gru

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "recsys_gru"
BELOW = {
    "cli": {
        "tracking",
        "recommender",
        "baselines",
        "contract",
        "training",
        "evaluation",
        "ranking",
        "clicks",
    },
    "tracking": {"recommender", "baselines", "contract", "training", "evaluation", "ranking", "clicks"},
    "recommender": {"baselines", "contract", "training", "evaluation", "ranking", "model", "clicks"},
    "baselines": {"contract", "ranking", "clicks"},
    "contract": {"ranking", "clicks"},
    "training": {"model"},
    "evaluation": {"ranking", "clicks"},
    "ranking": {"clicks"},
    "model": set(),
    "clicks": set(),
    "jit": set(),
}
"""Which rooms a room may import; every room may also use errors, jit and observers."""
FOUNDATION = {"errors", "jit", "observers"}
ONLY_IN = {
    "mlflow": {"tracking"},
    "optuna": {"tracking"},
    "click": {"cli"},
    "torch": {"model", "training", "recommender"},
}
"""Third-party modules and the only rooms that may import them."""
NEVER_IN = {
    "clicks": {"torch"},
    "model": {"polars"},
    "contract": {"torch"},
    "ranking": {"torch"},
    "baselines": {"torch"},
}
HEAVY = ("torch", "polars", "mlflow", "numpy", "numba", "matplotlib", "scipy")
LONGEST_FILE, LONGEST_BODY = 300, 40


def imports_of(path: Path) -> Iterator[str]:
    """Full names of the modules a file imports, also inside functions and for type checking."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "recsys_gru":
                yield from (f"recsys_gru.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def files_of(room: str) -> list[Path]:
    """The source files of a room."""
    return sorted((PACKAGE / room).rglob("*.py"))


def require_small(path: Path) -> None:
    """Neither the file nor one of its functions is too long."""
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_FILE, path
    for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        assert length <= LONGEST_BODY, f"{path}: {function.name} has {length} lines"


def require_silent(path: Path) -> None:
    """Nothing in the file prints."""
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not [c for c in calls if isinstance(c, ast.Name) and c.id == "print"], path


def help_of(module: str, heavy: tuple[str, ...]) -> str:
    """What the `main` of a module prints for --help, in a process that loads none of the heavy modules."""
    code = (
        f"import sys\nfrom {module} import main\n"
        "try: main(['--help'])\n"
        f"finally: print('loaded', [name for name in {heavy} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    assert said.endswith("loaded []\n")
    return said


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_from_rooms_below(room: str) -> None:
    allowed = BELOW[room] | FOUNDATION | {room}
    for path in files_of(room):
        for name in imports_of(path):
            if not name.startswith("recsys_gru."):
                continue
            found = name.split(".")[1]
            is_room = (PACKAGE / found).is_dir() or (PACKAGE / f"{found}.py").exists()
            assert not is_room or found in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_every_room_is_in_the_table() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(BELOW)


def test_training_and_evaluation_do_not_know_each_other() -> None:
    assert "evaluation" not in BELOW["training"]
    assert "training" not in BELOW["evaluation"]


@pytest.mark.parametrize("module", ONLY_IN)
def test_a_third_party_module_stays_in_its_rooms(module: str) -> None:
    for room in set(BELOW) - ONLY_IN[module]:
        for path in files_of(room):
            roots = {name.split(".")[0] for name in imports_of(path)}
            assert module not in roots, f"{path.relative_to(ROOT)} imports {module}"


def test_rooms_that_must_not_know_a_library_do_not() -> None:
    for room, forbidden in NEVER_IN.items():
        for path in files_of(room):
            assert not forbidden & {name.split(".")[0] for name in imports_of(path)}, path


def test_matplotlib_is_imported_inside_functions_only() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert "matplotlib" not in " ".join(ast.unparse(node) for node in top), path


def test_files_and_functions_are_small() -> None:
    for path in PACKAGE.rglob("*.py"):
        require_small(path)


def test_the_library_never_prints() -> None:
    for path in PACKAGE.rglob("*.py"):
        require_silent(path)


def test_no_ignored_rule_is_of_pyflakes() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    ignored = [*lint["ignore"], *(rule for rules in lint["per-file-ignores"].values() for rule in rules)]
    assert not [rule for rule in ignored if re.match(r"F\d", rule) or rule == "F"]
    assert "F" in lint["select"]


def test_every_public_name_loads_and_is_known_to_its_room() -> None:
    for home, names in recsys_gru._HOMES.items():
        room = importlib.import_module(home)
        for name in names:
            assert getattr(recsys_gru, name) is not None
            assert home == "recsys_gru" or name in room.__all__, f"{home} does not export {name}"
    assert set(dir(recsys_gru)) == set(recsys_gru.__all__)


def test_the_names_for_type_checkers_are_the_names_at_run_time() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {(home, name) for home, names in recsys_gru._HOMES.items() for name in names}


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'GRU5Rec'; it has .*GRU4Rec"):
        _ = recsys_gru.GRU5Rec


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, recsys_gru; print([name for name in {HEAVY} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_help_loads_nothing_heavy() -> None:
    assert "recommend" in help_of("recsys_gru.cli", HEAVY)


def test_the_changelog_begins_with_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changes, re.MULTILINE)
    assert newest is not None
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert newest[1] == recsys_gru.__version__ == declared


def test_the_api_page_is_what_the_docstrings_say() -> None:
    path = ROOT / "docs" / "make_api.py"
    spec = importlib.util.spec_from_file_location("make_api", path)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (ROOT / "docs" / "api.md").read_text() == maker.page(), "run `make docs`"


def test_every_constraint_is_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.!-]+", line) for line in lines)
    assert len({line.partition("==")[0].lower() for line in lines}) == len(lines)
