"""Draw docs/pictures/house.svg, the rooms and who imports whom, and list them in docs/house.md."""

import sys
from collections.abc import Iterator
from html import escape
from itertools import combinations, cycle, pairwise
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from rooms import FOUNDATION, Room, arrows, floors, read_rooms

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs" / "house.md", ROOT / "docs" / "pictures" / "house.svg"
OPEN, CLOSE = "<!-- house: made by docs/make_house.py -->", "<!-- /house -->"
NOTE = """A room imports only rooms below it. Three things have no arrow: an import that follows from others,
an import of the foundation, and a model looked up by its name while the program runs."""
WIDTH, WALL, ROOF = 900, 30, 140  # px, like all below
PAD, LINE, CORRIDOR = 14, 21, 48
SHAFT = 16  # where an arrow passes a floor
COLOURS = "3b7dd8 d97b29 2f9e6e b0559f c8504f 6a6fd1 1f97ab 98792a 75808c 5f9440 c2578a"
STYLE = """<style>
text{font:15px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:#5b6068}
.name{font-size:20px;font-weight:700;fill:#22262b}.files{font-size:13px;text-anchor:end}
.sky{fill:#eef2f5}.earth{fill:#d5cfc2}.wall{fill:#fbfaf7}.roof{fill:#a5583f}.room{fill:#fff;stroke-width:1.5}
.title,.key{fill:#fff;text-anchor:middle}.title{font-size:25px;font-weight:700}
.arrow{fill:none;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
@media(prefers-color-scheme:dark){text{fill:#b3b9c0}.name{fill:#f2f4f6}.sky{fill:#16181b}.earth{fill:#3b3833}
.wall{fill:#202327}.roof{fill:#87483a}.room{fill:#2a2e33}}
@media(max-width:560px){.says,.files,.key{display:none}.name{font-size:28px;transform:translateY(var(--down))}
.title{font-size:42px}.arrow{stroke-width:3}}
</style>"""
Rows = list[list[str]]


class Box(NamedTuple):
    """The place of a room, or of a shaft, which has no width."""

    left: int
    right: int
    top: int = 0
    bottom: int = 0


def picture(rooms: dict[str, Room]) -> str:
    """The house as SVG."""
    rows, ways = arranged(floors(rooms), arrows(rooms))
    boxes = stacked(rows, rooms)
    colours = dict(zip((name for row in rows for name in row if name in rooms), cycle(COLOURS.split())))
    colours[FOUNDATION] = "a39c8f"
    ground, bottom = boxes[FOUNDATION].top - 16, boxes[FOUNDATION].bottom + 20
    middle, eaves = WIDTH // 2, WALL - 22
    size = f'width="{WIDTH}" height="{bottom}" viewBox="0 0 {WIDTH} {bottom}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="the rooms of recsys-gru" {size}>',
        STYLE,
        f'<path class="sky" d="M0 0H{WIDTH}V{ground}H0Z"/>',
        f'<path class="earth" d="M0 {ground}H{WIDTH}V{bottom}H0Z"/>',
        f'<path class="wall" d="M{WALL - 6} {ROOF}H{WIDTH - WALL + 6}V{ground}H{WALL - 6}Z"/>',
        f'<path class="roof" d="M{eaves} {ROOF}L{middle} 16L{WIDTH - eaves} {ROOF}Z"/>',
        f'<text class="title" x="{middle}" y="{ROOF - 46}">recsys-gru</text>',
        f'<text class="key" x="{middle}" y="{ROOF - 18}">an arrow points down to what a room imports</text>',
    ]
    parts += [drawn_room(name, room, boxes[name], colours[name]) for name, room in rooms.items()]
    parts += [drawn_arrow(way, boxes, colours[way[0]]) for way in ways]
    return "\n".join([*parts, "</svg>\n"])


def drawn_room(name: str, room: Room, box: Box, colour: str) -> str:
    """A box with a room's name, its number of files and its sentence."""
    width, height = box.right - box.left, box.bottom - box.top
    x, y, size = box.left + PAD, box.top + 31, f'width="{width}" height="{height}"'
    parts = [
        f'<rect class="room" x="{box.left}" y="{box.top}" {size} rx="8" stroke="#{colour}"/>',
        f'<text class="name" x="{x}" y="{y}" style="--down:{height // 2 - 20}px">{name}</text>',
        f'<text class="files" x="{box.right - PAD}" y="{y}">{room.files} files</text>',
    ]
    for i, line in enumerate(wrapped(room, width)):
        parts.append(f'<text class="says" x="{x}" y="{y + 25 + LINE * i}">{escape(line)}</text>')
    return "\n".join(parts)


def wrapped(room: Room, width: int) -> list[str]:
    """A room's sentence in few lines of like length, which fit also in the widest of the usual fonts."""
    text, most = room.says.replace("`", ""), (width - 3 * PAD) // 8
    tried = [
        wrap(text, n, break_long_words=False, break_on_hyphens=False) for n in range(most // 2, most + 1)
    ]
    return min(tried, key=lambda lines: (len(lines), max(map(len, lines), default=0)))


def drawn_arrow(way: list[str], boxes: dict[str, Box], colour: str) -> str:
    """One line from the importer through its shafts to the imported, with a head."""
    line = ""
    for high, low in pairwise(way):
        (x, z), y, end = ends(boxes[high], boxes[low]), boxes[high].bottom, boxes[low].top
        line += f"{'L' if line else 'M'}{x} {y}C{x} {y + 30} {z} {end - 34} {z} {end - 10}L{z} {end - 2}"
    line += f"M{z - 5} {end - 8}L{z} {end - 2}L{z + 5} {end - 8}"
    title = f"<title>{way[0]} imports {way[-1]}</title>"
    return f'<path class="arrow" stroke="#{colour}" d="{line}">{title}</path>'


def ends(high: Box, low: Box) -> tuple[int, int]:
    """Where an arrow leaves and arrives: straight down if it can, else from corner to corner."""
    (a, b), (c, d) = ((s.left + PAD, s.right - PAD) if s.left < s.right else s[:2] for s in (high, low))
    left, right = max(a, c), min(b, d)
    if left <= right:
        return (left + right) // 2, (left + right) // 2
    return (b, c) if b < c else (a, d)


def laid(row: list[str]) -> dict[str, Box]:
    """Left and right end of what stands on a floor: the rooms share what the shafts leave."""
    n = sum(">" not in name for name in row)
    left, right = (WALL + PAD * (">" in name) for name in (row[0], row[-1]))
    free = WIDTH - left - right - SHAFT * (len(row) - n)
    shares = iter(free * (i + 1) // n - free * i // n for i in range(n))
    boxes = {}
    for name in row:
        width = SHAFT if ">" in name else next(shares)
        boxes[name] = Box(left + SHAFT // 2, left + width - SHAFT // 2)
        left += width
    return boxes


def stacked(rows: Rows, rooms: dict[str, Room]) -> dict[str, Box]:
    """The place of everything: floor under floor, each as high as its longest sentence needs."""
    boxes: dict[str, Box] = {}
    top = ROOF + 20
    for row in rows:
        found = laid(row)
        lines = max(len(wrapped(rooms[name], b.right - b.left)) for name, b in found.items() if name in rooms)
        bottom = top + 50 + LINE * lines
        boxes |= {name: box._replace(top=top, bottom=bottom) for name, box in found.items()}
        top = bottom + CORRIDOR
    return boxes


def arranged(rows: Rows, arrows: list[tuple[str, str]]) -> tuple[Rows, Rows]:
    """The floors with a shaft for every arrow that passes, all moved until the arrows are short and calm.

    Returns the floors, and for every arrow the names of what it joins: importer, shafts, imported.
    """
    at = {name: floor for floor, row in enumerate(rows) for name in row}
    ways = [[a, *(f"{a}>{b}>{floor}" for floor in range(at[a] + 1, at[b])), b] for a, b in arrows]
    rows = [
        [*row, *(n for way in ways for n in way[1:-1] if n.endswith(f">{floor}"))]
        for floor, row in enumerate(rows)
    ]
    best, now = rows, cost(rows, ways) + 1
    while cost(best, ways) < now:
        rows, now = best, cost(best, ways)
        best = min(moves(rows), key=lambda tried: cost(tried, ways))
    return rows, ways


def cost(rows: Rows, ways: Rows) -> int:
    """How far the arrows run sideways, and how often they cross or meet."""
    at = {name: (floor, box) for floor, row in enumerate(rows) for name, box in laid(row).items()}
    steps = [(at[high][0], *ends(at[high][1], at[low][1])) for way in ways for high, low in pairwise(way)]
    crossings = sum(p[0] == q[0] and (p[1] - q[1]) * (p[2] - q[2]) <= 0 for p, q in combinations(steps, 2))
    return sum(abs(x - z) for _, x, z in steps) + 100 * crossings


def moves(rows: Rows) -> Iterator[Rows]:
    """The floors after each move: a room or shaft to another place, or all shafts of an arrow to one side."""
    for floor, row in enumerate(rows):
        for name in row:
            rest = [other for other in row if other != name]
            for i in range(len(row)):
                yield [*rows[:floor], [*rest[:i], name, *rest[i:]], *rows[floor + 1 :]]
    for arrow in sorted({name.rpartition(">")[0] + ">" for row in rows for name in row if ">" in name}):
        yield [sorted(row, key=lambda name: name.startswith(arrow)) for row in rows]
        yield [sorted(row, key=lambda name: not name.startswith(arrow)) for row in rows]


def block(rooms: dict[str, Room]) -> str:
    """The picture and the table of rooms, between their marks."""
    rows = floors(rooms)
    alt = f"The floors of the house, from the roof down: {'; '.join(', '.join(row) for row in rows)}"
    lines = [OPEN, "", f"![{alt}](pictures/{PICTURE.name})", "", NOTE, ""]
    lines += ["| room | what it is for | files | libraries |", "|---|---|---|---|"]
    for name in (name for row in rows for name in row):
        room = rooms[name]
        says, libraries = room.says.replace("|", "\\|"), ", ".join(sorted(room.libraries))
        lines.append(f"| [{name}](../{room.folder}) | {says} | {room.files} | {libraries} |")
    return "\n".join([*lines, "", CLOSE])


def page(text: str, rooms: dict[str, Room]) -> str:
    """The page with its block made anew."""
    return text.split(OPEN)[0] + block(rooms) + text.split(CLOSE)[1]


if __name__ == "__main__":
    found = read_rooms(ROOT)
    for path, text in ((PICTURE, picture(found)), (PAGE, page(PAGE.read_text(encoding="utf-8"), found))):
        path.write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(f"written: {path.name}\n")
