"""The package as a whole: its rooms, its names, its documents."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import recsys_gru

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "recsys_gru"
NUMBERS = {"numpy"}
ROOMS = {
    "cli": (
        {
            "serving", "tracking", "exporting", "blend", "recommender", "contract", "training", "evaluation",
            "facts", "exploration", "preparation", "sessions", "clicks", "kernels", "files",
        },
        {"click", "polars"} | NUMBERS,
    ),
    "serving": (
        {"tracking", "contract", "facts", "files"},
        {"starlette", "uvicorn", "pydantic", "pydantic_core", "prometheus_client", "redis"} | NUMBERS,
    ),
    "tracking": (
        {"recommender", "contract", "training", "evaluation", "ranking", "sessions", "pages"},
        {"mlflow", "optuna", "matplotlib", "pandas", "polars", "psutil"},
    ),
    "cluster": (set(), {"ray"}),
    "exporting": ({"recommender", "contract", "model", "sessions"}, {"onnx", "polars", "torch"} | NUMBERS),
    "blend": ({"recommender", "contract", "ranking", "sessions", "kernels", "files"}, NUMBERS),
    "recommender": (
        {"contract", "evaluation", "training", "ranking", "model", "facts", "sessions", "kernels", "files"},
        {"torch", "polars", "scipy", "rich"} | NUMBERS,
    ),
    "baselines": ({"contract", "ranking", "sessions", "kernels", "files"}, {"scipy"} | NUMBERS),
    "contract": ({"ranking", "facts", "sessions", "files"}, {"polars"} | NUMBERS),
    "evaluation": ({"ranking", "sessions", "files", "pages"}, {"polars", "matplotlib", "rich"} | NUMBERS),
    "training": ({"model", "kernels", "files"}, {"torch", "safetensors"} | NUMBERS),
    "ranking": ({"sessions", "kernels"}, {"polars"} | NUMBERS),
    "model": ({"kernels"}, {"torch"} | NUMBERS),
    "facts": ({"sessions", "clicks", "files"}, {"polars"} | NUMBERS),
    "exploration": ({"preparation", "clicks", "pages"}, {"polars", "matplotlib"} | NUMBERS),
    "preparation": ({"sessions", "clicks", "kernels", "files"}, {"polars"} | NUMBERS),
    "sessions": ({"clicks", "kernels", "files"}, {"polars"} | NUMBERS),
    "clicks": ({"kernels", "files"}, {"polars", "pandas"} | NUMBERS),
    "pages": (set(), NUMBERS),
    "kernels": (set(), {"numba", "llvmlite", "torch"} | NUMBERS),
    "files": (set(), {"obstore"} | NUMBERS),
}  # fmt: skip
"""The rooms from top to bottom: the rooms and the third-party libraries that each one imports, and no others.

Every room may use errors and observers besides.
"""
FOUNDATION = {"errors", "observers", "arguments", "engines", "forked"}
SUB_ROOMS = {"kernels": "machine", "tracking": "delivery"}
"""Rooms within rooms, which know nothing of what lies around them."""
HEAVY = (
    "starlette",
    "uvicorn",
    "prometheus_client",
    "torch",
    "polars",
    "mlflow",
    "numpy",
    "numba",
    "matplotlib",
    "scipy",
    "ray",
    "obstore",
)
LONGEST_FILE, LONGEST_BODY = 300, 40


def imports_of(path: Path) -> Iterator[str]:
    """Full names of the modules a file imports, also inside functions and for type checking."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            is_module = [(ROOT / name.replace(".", "/")).with_suffix(".py").exists() for name in names]
            inside = node.module == "recsys_gru"
            yield from {
                name if inside or one else str(node.module)
                for name, one in zip(names, is_module, strict=True)
            }


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


def imported_by(path: Path) -> tuple[set[str], set[str]]:
    """The parts of the package that a file imports, and the third-party libraries."""
    parts, libraries = set(), set()
    for name in imports_of(path):
        root, *rest = name.split(".")
        if root == "recsys_gru" and rest:
            home = recsys_gru._HOME_OF.get(rest[0], "recsys_gru").removeprefix("recsys_gru").strip(".")
            parts.add(home or rest[0])
        elif root != "recsys_gru" and root not in sys.stdlib_module_names:
            libraries.add(root)
    return parts, libraries


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_the_rooms_and_libraries_of_the_table_and_no_others(room: str) -> None:
    found = [imported_by(path) for path in files_of(room)]
    rooms, libraries = ROOMS[room]
    others = set().union(*(parts for parts, _ in found)) - FOUNDATION - {room, "__version__"}
    assert others == rooms
    assert set().union(*(names for _, names in found)) == libraries


def test_the_table_is_in_order_from_top_to_bottom_and_holds_every_room() -> None:
    order = list(ROOMS)
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)
    for place, room in enumerate(order):
        assert ROOMS[room][0] <= set(order[place + 1 :]), room


def test_every_room_says_what_is_in_it_who_uses_it_and_what_it_must_never_import() -> None:
    for path in PACKAGE.glob("*/**/__init__.py"):
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        for words in ("In it:", "Used", "must never"):
            assert words in said, path


def test_the_readme_has_the_table() -> None:
    rows = re.findall(
        r"^\| `recsys_gru/(\w+)` \| .* \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    said = {room: set(re.findall(r"\w+", libraries)) for room, libraries in rows}
    assert list(said) == list(ROOMS)
    assert said == {room: libraries - NUMBERS for room, (_, libraries) in ROOMS.items()}


def test_training_and_evaluation_do_not_know_each_other() -> None:
    assert "evaluation" not in ROOMS["training"][0]
    assert "training" not in ROOMS["evaluation"][0]


@pytest.mark.parametrize(("room", "inner"), SUB_ROOMS.items())
def test_a_room_within_a_room_knows_nothing_of_what_lies_around_it(room: str, inner: str) -> None:
    assert files_of(f"{room}/{inner}")
    for path in files_of(f"{room}/{inner}"):
        around = [name for name in imports_of(path) if name.startswith(f"recsys_gru.{room}")]
        assert not [name for name in around if not name.startswith(f"recsys_gru.{room}.{inner}")], path


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): set(
            imports_of(path)
        )
        for path in PACKAGE.rglob("*.py")
        if path.parent != PACKAGE
    }
    TopologicalSorter(graph).prepare()  # raises CycleError


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


def test_the_changelog_begins_with_this_version_and_the_citation_has_it() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changes, re.MULTILINE)
    assert newest is not None
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited is not None
    assert newest[1] == recsys_gru.__version__ == declared == cited[1]


def test_the_pages_of_the_api_name_all_that_is_public() -> None:
    path = ROOT / "docs" / "make_api.py"
    spec = importlib.util.spec_from_file_location("make_api", path)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    pages = maker.pages()
    assert {path: (ROOT / "docs" / path).read_text() for path in pages} == pages, "run `make house`"
    written = {f"api/{path.name}" for path in (ROOT / "docs" / "api").iterdir()}
    assert written == set(pages) - {"api.md"}


def test_every_requirement_has_a_lower_bound_and_no_upper_one_but_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: asked for name, asked in project["optional-dependencies"].items() if name != "dev"}
    for requirement in [*project["dependencies"], *(one for asked in extras.values() for one in asked)]:
        assert re.match(r"[\w.-]+(\[\w+\])?>=[\d.]+", requirement), requirement
        assert "<" not in requirement, requirement


def test_every_constraint_is_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.!-]+", line) for line in lines)
    assert len({line.partition("==")[0].lower() for line in lines}) == len(lines)
