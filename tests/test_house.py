"""The picture and the table of the rooms say what the code says."""

import ast
import importlib
import importlib.util
import re
from graphlib import CycleError
from itertools import combinations
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

import recsys_gru

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "recsys_gru"
ROOMS = {path.parent.name: path.parent for path in PACKAGE.glob("*/__init__.py")} | {
    "pipelines": ROOT / "pipelines"
}
HOMES = {f"recsys_gru.{name}": home for home, names in recsys_gru._HOMES.items() for name in names}
SVG = ElementTree.parse(ROOT / "docs" / "pictures" / "house.svg").getroot()  # noqa: S314 - our own file
Pairs = set[tuple[str, ...]]


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script itself."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("make_house")


def imported_by(room: str) -> Pairs:
    """The room with each room that it imports, by a walk of the test's own."""
    names = set()
    for path in ROOMS[room].rglob("*.py"):
        package = ".".join(path.relative_to(ROOT).parent.parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                names |= {f"{base}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Attribute):
                names.add(re.sub(r"^rg\.", "recsys_gru.", ast.unparse(node)))
    homes = {HOMES[name] for name in names & set(HOMES)}
    return {
        (room, other)
        for other in ROOMS
        if other != room and any(is_of(other, name) for name in names | homes)
    }


def is_of(room: str, name: str) -> bool:
    """Whether an imported name is the room or something in it."""
    starts = (f"recsys_gru.{room}.", "pipelines.") if room == "pipelines" else f"recsys_gru.{room}."
    return f"{name}.".startswith(starts)


def drawn() -> Pairs:
    """Importer and imported of every arrow."""
    titles = [str(title.text) for title in SVG.iterfind(".//{*}path/{*}title")]
    return {tuple(title.split(" imports ")) for title in titles}


def with_all_implied(pairs: Pairs) -> Pairs:
    """The pairs and all that follows from them."""
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs = pairs | more
    return pairs


def rectangles() -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of every room."""
    sides = [
        [int(rect.attrib[key]) for key in ("x", "y", "width", "height")] for rect in SVG.iterfind("{*}rect")
    ]
    return [(x, y, x + width, y + height) for x, y, width, height in sides]


def test_the_picture_and_the_page_are_what_the_script_makes(maker: ModuleType) -> None:
    rooms = maker.read_rooms(ROOT)
    assert maker.PICTURE.read_text(encoding="utf-8") == maker.picture(rooms), "run `make house`"
    text = maker.PAGE.read_text(encoding="utf-8")
    assert text == maker.page(text, rooms), "run `make house`"


def test_every_arrow_is_an_import_and_every_import_is_drawn_or_follows() -> None:
    imports = {pair for room in ROOMS for pair in imported_by(room)}
    assert drawn() <= imports
    assert imports <= with_all_implied(drawn())


def test_no_arrow_follows_from_others() -> None:
    assert not [pair for pair in drawn() if pair in with_all_implied(drawn() - {pair})]


def test_every_room_is_drawn_and_says_in_a_sentence_what_it_is_for(maker: ModuleType) -> None:
    rooms = maker.read_rooms(ROOT)
    names = {str(text.text) for text in SVG.iterfind("{*}text[@class='name']")}
    assert names == set(rooms) == set(ROOMS) | {"foundation"}
    assert [name for name, room in rooms.items() if not room.says.endswith(".")] == []


def test_the_foundation_imports_no_room(maker: ModuleType) -> None:
    assert maker.read_rooms(ROOT)["foundation"].uses == set()


def test_rooms_and_arrows_keep_clear_of_each_other() -> None:
    rooms = rectangles()
    for a, b in combinations(rooms, 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    for arrow in SVG.iterfind("{*}path[@class='arrow']"):
        for x, start, end in re.findall(r"(\d+) (\d+)(?=L\1 (\d+))", arrow.attrib["d"]):
            for left, top, right, bottom in rooms:
                assert not (left <= int(x) <= right and int(start) < bottom and top < int(end)), arrow[0].text


def test_imports_of_every_kind_count(maker: ModuleType, tmp_path: Path) -> None:
    sources = {
        "recsys_gru/__init__.py": "_HOMES = {'recsys_gru.far': ('thing', 'other'), 'recsys_gru': ('lazy',)}",
        "recsys_gru/errors.py": '"""What goes wrong."""',
        "recsys_gru/far/__init__.py": '"""Far. And more."""\nimport json, torch.nn',
        "recsys_gru/lazy/__init__.py": "def later():\n    from recsys_gru.near import deep",
        "recsys_gru/near/__init__.py": "from .deep import one",
        "recsys_gru/near/deep.py": "if TYPE_CHECKING:\n    from ..far import one",
        "recsys_gru/other/__init__.py": "import recsys_gru as rg\nrg.thing()\nrg.__version__",
        "pipelines/__init__.py": "from recsys_gru import errors, lazy, thing\nfrom .steps import all_of",
        "pipelines/steps.py": "import recsys_gru.other.deep",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    rooms = maker.read_rooms(tmp_path)
    assert {name: room.uses for name, room in rooms.items()} == {
        "far": set(),
        "foundation": set(),
        "lazy": {"near"},
        "near": {"far"},
        "other": {"far"},
        "pipelines": {"far", "lazy", "other"},
    }
    assert (rooms["far"].says, rooms["far"].libraries) == ("Far.", {"torch"})
    assert rooms["pipelines"].files == 2
    assert maker.floors(rooms) == [["pipelines"], ["lazy"], ["near", "other"], ["far"], ["foundation"]]


def test_rooms_that_import_each_other_are_refused(maker: ModuleType) -> None:
    one = maker.Room("", "", 1, {"two"}, set())
    two = maker.Room("", "", 1, {"one"}, set())
    with pytest.raises(CycleError):
        maker.floors({"one": one, "two": two})
