"""Write docs/api.md and docs/api/: the public names, room by room; the site adds what they say."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from recsys_gru import _HOMES

DOCS = Path(__file__).parent
HEAD = """# API

Every public name, room by room; all are reached as `recsys_gru.NAME`, those of a room alone as
`recsys_gru.ROOM.NAME`. The site has their signatures and docstrings, as an editor and `help()` do.
"""
EXTRA = {
    "recsys_gru.evaluation": (
        "draw_comparison", "draw_recall_curves", "draw_slices", "example_recommendations", "intervals",
        "metrics_from_ranks", "order_probe", "recall_curve", "refuse_leaks", "reliability", "slices",
        "worst_sessions", "write_report",
    ),
    "recsys_gru.tracking": ("run", "Tracker", "Registry", "lasting_run", "find_old", "search"),
}  # fmt: skip
"""Names that are public in their room only."""


def pages() -> dict[str, str]:
    """Every page by its path below docs/."""
    rooms = {home.rpartition(".")[2]: home for home in [*_HOMES, *EXTRA] if home != "recsys_gru"}
    found = {f"api/{name}.md": "\n".join(room(name, home)) for name, home in rooms.items()}
    found["api/errors.md"] = (
        "# errors\n\n```{eval-rst}\n.. automodule:: recsys_gru.errors\n   :members:\n```\n"
    )
    lines = [f"- [{name}](api/{name}.md): {says(home)}" for name, home in rooms.items()]
    lines.append(f"- [errors](api/errors.md): {says('recsys_gru.errors')} [Cause and cure](errors.md).")
    return found | {"api.md": "\n".join([HEAD, *lines, ""])}


def room(name: str, home: str) -> Iterator[str]:
    """The lines of a room's page."""
    yield from (f"# {name}", "", says(home), "", "```{eval-rst}")
    for place, names in (("recsys_gru", _HOMES.get(home, ())), (home, EXTRA.get(home, ()))):
        if names:
            yield from (f".. currentmodule:: {place}", "", ".. autosummary::", "")
            yield from (*(f"   {one}" for one in names), "")
            for one in names:
                yield from (*directive(one, getattr(importlib.import_module(place), one)), "")
    yield from ("```", "")


def directive(name: str, thing: object) -> tuple[str, ...]:
    """What shows a name; of a class all that it does not have from another that stands here too."""
    if not inspect.isclass(thing):
        return (f".. auto{'function' if callable(thing) else 'data'}:: {name}",)
    told = {one for names in _HOMES.values() for one in names}
    above = [kind.__mro__ for kind in thing.__mro__[1:] if kind.__name__ in told]
    but = [kind.__name__ for kind in above[0]] if above else ["object"]
    return (f".. autoclass:: {name}", "   :members:", f"   :inherited-members: {', '.join(but)}")


def says(home: str) -> str:
    """What a room is for."""
    return (inspect.getdoc(importlib.import_module(home)) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    for path, text in pages().items():
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(f"written: {len(pages())} pages of the API\n")
