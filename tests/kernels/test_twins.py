"""Every compiled loop that others call names the plain twin that a test holds it to, and the test exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.test_package import PACKAGE, ROOT, imports_of

KERNELS = PACKAGE / "kernels"
LINE = re.compile(r"Twin: \S.*, (tests/[\w/]+\.py)::(test_\w+)\.")
MARK = "pytest.mark.kernels"


class Kernel(NamedTuple):
    """A compiled loop: the file it is in, its name and its docstring."""

    path: Path
    name: str
    said: str

    def twins(self) -> list[str]:
        """The lines of the docstring that speak of a twin."""
        return [line for line in self.said.splitlines() if "Twin" in line]

    def test(self) -> tuple[Path, str]:
        """The file and the name of the test that the docstring ends with."""
        found = LINE.fullmatch(self.said.splitlines()[-1])
        assert found, (
            f"{self.path}: {self.name} has no line `Twin: <what>, tests/....py::test_name.` at its end"
        )
        return ROOT / found[1], found[2]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def kernels() -> Iterator[Kernel]:
    for path in sorted(KERNELS.rglob("*.py")):
        for node in tree_of(path).body:
            if isinstance(node, ast.FunctionDef) and {"kernel", "in_order"} & set(
                map(ast.unparse, node.decorator_list)
            ):
                yield Kernel(path, node.name, ast.get_docstring(node) or "")


def names_in(node: ast.AST) -> set[str]:
    """Every name that a piece of code mentions."""
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    found |= {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    return found | {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}  # fixtures


def definitions(path: Path) -> dict[str, ast.stmt]:
    """What a file defines at its top, by name."""
    found: dict[str, ast.stmt] = {}
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {name.id: node for name in node.targets if isinstance(name, ast.Name)}
    return found


def reached(path: Path, name: str) -> list[ast.stmt]:
    """A definition of a file, and those of the same file that it needs, theirs, and so on."""
    known, waiting = definitions(path), [name]
    found: dict[str, ast.stmt] = {}
    while waiting:
        one = waiting.pop()
        if one in known and one not in found:
            found[one] = known[one]
            waiting += names_in(known[one])
    return list(found.values())


def imported_from_us(path: Path) -> set[str]:
    """The names that a file imports from the library."""
    nodes = [node for node in tree_of(path).body if isinstance(node, ast.ImportFrom)]
    ours = [node for node in nodes if str(node.module).startswith("recsys_gru.")]
    return {alias.name for node in ours for alias in node.names}


@cache
def kernels_imported(path: Path) -> set[tuple[str, str]]:
    """The module and the name of each kernel that a file imports."""
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in nodes if str(node.module).startswith("recsys_gru.kernels")]
    return {(str(node.module), alias.name) for node in ours for alias in node.names}


def importers(kernel: Kernel, *folders: str) -> list[Path]:
    """The files of some folders that import a kernel."""
    one = ".".join(kernel.path.relative_to(ROOT).with_suffix("").parts), kernel.name
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [path for path in files if one in kernels_imported(path)]


def callers(kernel: Kernel) -> set[str]:
    """The functions and classes of the library that call a kernel."""
    files = [kernel.path, *importers(kernel, "recsys_gru")]
    found = [(name, node) for path in files for name, node in definitions(path).items()]
    return {name for name, node in found if name != kernel.name and kernel.name in names_in(node)}


ALL = list(kernels())
PUBLIC = [kernel for kernel in ALL if not kernel.name.startswith("_")]
PARTS = [kernel for kernel in ALL if kernel.name.startswith("_")]
EACH = pytest.mark.parametrize("kernel", PUBLIC, ids=lambda kernel: f"{kernel.path.stem}.{kernel.name}")


def test_there_are_kernels() -> None:
    assert len(PUBLIC) > 30
    assert len({kernel.path for kernel in PUBLIC}) > 10


@EACH
def test_a_kernel_says_what_it_computes_and_ends_with_its_only_twin(kernel: Kernel) -> None:
    kernel.test()
    assert len(kernel.twins()) == 1
    assert len(kernel.said.splitlines()) > 2


@EACH
def test_a_twin_is_a_test_that_compares_the_kernel_or_what_calls_it(kernel: Kernel) -> None:
    path, name = kernel.test()
    assert path.is_file()
    test = reached(path, name)
    assert test, f"{path} has no {name}"
    called = set().union(*map(names_in, test)) & imported_from_us(path)
    assert called & {kernel.name, *callers(kernel)}, f"{name} calls neither {kernel.name} nor what calls it"
    parts = [part for node in test for part in ast.walk(node)]
    assert any(isinstance(part, ast.Assert) for part in parts) or any(
        isinstance(part, ast.Attribute) and part.attr.startswith("assert_") for part in parts
    )


@EACH
def test_a_twin_is_compared_with_the_kernel_as_plain_python_too(kernel: Kernel) -> None:
    path, name = kernel.test()
    known = definitions(path)
    marks = [ast.unparse(mark) for mark in known[name].decorator_list]  # type: ignore[attr-defined]
    assert MARK in marks or (
        "pytestmark" in known and f"pytestmark = {MARK}" == ast.unparse(known["pytestmark"])
    )


@pytest.mark.parametrize("kernel", PARTS, ids=lambda kernel: f"{kernel.path.stem}.{kernel.name}")
def test_a_kernel_without_a_twin_is_part_of_kernels_in_its_own_file(kernel: Kernel) -> None:
    assert not kernel.twins()
    inside = {other.name for other in ALL if other.path == kernel.path}
    assert callers(kernel)
    assert callers(kernel) <= inside
    assert not importers(kernel, "recsys_gru", "tests", "benchmarks")


def test_only_the_room_of_kernels_knows_the_compiler() -> None:
    compiler, files = {"numba", "llvmlite"}, PACKAGE.rglob("*.py")
    knowing = [path for path in files if compiler & {name.split(".")[0] for name in imports_of(path)}]
    assert knowing
    assert not [path for path in knowing if KERNELS not in path.parents]
