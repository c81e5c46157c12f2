"""The room of tracking: its delivery knows nothing of what stands on it, and no two files need each other."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.test_package import PACKAGE

DELIVERY = "recsys_gru.tracking.delivery"
BELOW_DELIVERY = {"sessions", "errors", "arguments"}
"""The only rooms of the library that delivery may know."""


def module_of(path: Path) -> str:
    """The full name of a file's module; a folder's ``__init__`` bears the folder's."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_of(path): path for path in sorted((PACKAGE / "tracking").rglob("*.py"))}


def imported(source: str) -> set[str]:
    """What a source imports, also inside functions and for type checking; a file of the room as itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {
                name if name in FILES or node.module == "recsys_gru" else str(node.module) for name in names
            }
    return found


IMPORTS = {name: imported(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def in_order(imports: dict[str, set[str]]) -> list[str]:
    """The files of the room, each after those that it imports.

    Raises:
        CycleError: if two need each other, by whatever way.
    """
    arrows = {name: found & set(FILES) for name, found in imports.items()}
    return list(TopologicalSorter(arrows).static_order())


def test_no_two_files_of_the_room_need_each_other() -> None:
    assert set(in_order(IMPORTS)) == set(FILES)


def test_a_circle_by_way_of_an_import_for_type_checking_is_seen() -> None:
    hidden = "if TYPE_CHECKING:\n    from recsys_gru.tracking.tuning import Search\n"
    with pytest.raises(CycleError):
        in_order({**IMPORTS, DELIVERY: IMPORTS[DELIVERY] | imported(hidden)})


def test_delivery_imports_nothing_of_what_stands_on_it() -> None:
    inside = {name for name in FILES if f"{name}.".startswith(f"{DELIVERY}.")}
    assert len(inside) > 1
    for name in inside:
        assert IMPORTS[name] & set(FILES) <= inside, name
        rooms = {module.split(".")[1] for module in IMPORTS[name] if module.startswith("recsys_gru.")}
        assert rooms <= BELOW_DELIVERY | {"tracking"}, name
