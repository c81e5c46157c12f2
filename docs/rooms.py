"""The rooms of the library and what each imports, read from the source without running it."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

TOP, FOUNDATION = "pipelines", "foundation"
SIDE_BY_SIDE = 3  # rooms on a floor; more would leave their sentences no space


class Room(NamedTuple):
    """Where a room is, what it says of itself, and what it imports."""

    folder: str
    says: str
    files: int
    uses: set[str]
    libraries: set[str]


def read_rooms(root: Path) -> dict[str, Room]:
    """Every room by name: sub-packages, the pipelines, and the package's single files as the foundation."""
    package = root / "recsys_gru"
    folders = [*(path.parent for path in package.glob("*/__init__.py")), root / TOP]
    files = {folder.name: sorted(folder.rglob("*.py")) for folder in folders}
    files[FOUNDATION] = sorted(file for file in package.glob("*.py") if file.name != "__init__.py")
    homes = homes_of(package / "__init__.py") | {name: name for name in files}
    rooms = {}
    for name in sorted(files):
        imported = {dotted for file in files[name] for dotted in imports_of(file, root)}
        uses = {homes.get(ours(dotted), "") for dotted in imported} & (files.keys() - {name})
        others = {dotted.split(".")[0] for dotted in imported if not ours(dotted)}
        folder = min((file.parent for file in files[name]), key=lambda path: len(path.parts))
        speak = files[name] if name == FOUNDATION else [folder / "__init__.py"]
        says = " ".join(first_sentence(file) for file in speak)
        where = folder.relative_to(root).as_posix()
        rooms[name] = Room(where, says, len(files[name]), uses, others - sys.stdlib_module_names)
    return rooms


def ours(dotted: str) -> str:
    """The room or public name at the start of an import of ours; nothing for a library's."""
    first, second = f"{dotted}..".split(".")[:2]
    return (second or first) if first == "recsys_gru" else {TOP: TOP}.get(first, "")


def homes_of(path: Path) -> dict[str, str]:
    """The room of every public name, as `_HOMES` in the package's `__init__.py` says."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    (table,) = (
        node.value
        for node in body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES"
    )
    homes = ast.literal_eval(table)
    return {name: f"{home}.{name}".split(".")[1] for home, names in homes.items() for name in names}


def imports_of(path: Path, root: Path) -> Iterator[str]:
    """Dotted names of all that a file imports, anywhere in it, and of `recsys_gru.NAME`."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    called = {alias.asname or alias.name for alias in modules if alias.name == "recsys_gru"}
    yield from (alias.name for alias in modules)
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            above = path.relative_to(root).parts[: -node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in called:
            yield f"recsys_gru.{node.attr}"


def first_sentence(path: Path) -> str:
    """The first sentence of a file's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"(?<=[.!?]) ", " ".join(text.split()).replace("``", "`"))[0]


def reached(rooms: dict[str, Room]) -> dict[str, set[str]]:
    """All that each room imports, directly or through others; a circle is an error that names it."""
    found: dict[str, set[str]] = {}
    for name in TopologicalSorter({name: room.uses for name, room in rooms.items()}).static_order():
        found[name] = rooms[name].uses.union(*(found[used] for used in rooms[name].uses))
    return found


def arrows(rooms: dict[str, Room]) -> list[tuple[str, str]]:
    """Importer and imported, without the imports that follow from others."""
    below = reached(rooms)
    implied = {name: {far for used in room.uses for far in below[used]} for name, room in rooms.items()}
    return [(name, used) for name in sorted(rooms) for used in sorted(rooms[name].uses - implied[name])]


def floors(rooms: dict[str, Room]) -> list[list[str]]:
    """The names of the rooms, floor by floor from the roof: a room stands above all that it imports."""
    below, at = reached(rooms), {FOUNDATION: 0}
    for name in sorted(rooms.keys() - at.keys(), key=lambda name: (len(below[name]), name)):
        at[name] = 1 + max((at[used] for used in rooms[name].uses), default=0)
        while list(at.values()).count(at[name]) > SIDE_BY_SIDE:
            at[name] += 1
    if not any(TOP in room.uses for room in rooms.values()):
        at[TOP] = max(at.values())
    return [sorted(name for name in at if at[name] == floor) for floor in range(max(at.values()), -1, -1)]
