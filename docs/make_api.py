"""Write docs/api.md: every public name with its signature and docstring, room by room."""

import importlib
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import recsys_gru
from recsys_gru import _HOMES

PAGE = Path(__file__).with_name("api.md")
HEAD = """# API reference

Made from the docstrings by `make docs`; do not edit. Everything here is reached as `recsys_gru.NAME`.
"""
EXTRA = {"recsys_gru.tracking": ("run", "Tracker", "Registry", "lasting_run", "find_old", "search")}


def page() -> str:
    """The whole page."""
    rooms = {home: names for home, names in _HOMES.items() if home != "recsys_gru"} | EXTRA
    parts = [HEAD]
    for home, names in rooms.items():
        room = importlib.import_module(home)
        parts.append(f"## {home.rpartition('.')[2]}\n\n{first_paragraph(room)}\n")
        parts += [entry(name, getattr(room, name)) for name in names]
    parts.append(f"## errors\n\n```text\n{inspect.getdoc(recsys_gru.errors)}\n```\n")
    return "\n".join(parts)


def entry(name: str, thing: object) -> str:
    """One name: signature, docstring, and the public methods that a class or its own room defines."""
    if isinstance(thing, Mapping):
        return f"### `{name}`\n\n```python\n{name} = {dict(thing)}\n```\n"
    lines = [f"### `{name}`\n", f"```python\n{name}{signature(thing)}\n```\n", text(thing)]
    if inspect.isclass(thing):
        for method, function in inspect.getmembers(thing, is_callable_or_property):
            if method.startswith("_") or not is_of(thing, method) or not inspect.getdoc(function):
                continue
            shown = "" if isinstance(function, property) else signature(function)
            lines.append(f"#### `{name}.{method}`\n\n```python\n{method}{shown}\n```\n\n{text(function)}")
    return "\n".join(lines)


def is_of(thing: type, method: str) -> bool:
    """Whether a class defines a method, or one of its room that it extends and that has no entry itself."""
    named = {name for names in _HOMES.values() for name in names}
    if method in vars(thing) or any(method in vars(k) for k in thing.__mro__ if k.__name__ in named):
        return method in vars(thing)
    home = thing.__module__.rpartition(".")[0]
    return any(method in vars(kind) for kind in thing.__mro__ if kind.__module__.startswith(f"{home}."))


def is_callable_or_property(thing: object) -> bool:
    """What a reader can use."""
    return callable(thing) or isinstance(thing, property)


def signature(thing: object) -> str:
    """The signature without the addresses and modules that differ from one machine to the next."""
    try:
        shown = str(inspect.signature(thing))  # type: ignore[arg-type] # the caller passes callables
    except (TypeError, ValueError):
        return ""
    shown = re.sub(
        r"\b(?:recsys_gru|polars|numpy|collections|datetime|pathlib|typing)(?:\.\w+)*\.(\w+)", r"\1", shown
    )
    return re.sub(r"<factory>|<object object at \w+>|<function .*? at \w+>", "...", shown)


def text(thing: object) -> str:
    """The docstring; its examples as code."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    words, code = "\n".join(lines[:first]).strip(), "\n".join(lines[first:]).strip()
    words = re.sub(r"^(Args|Returns|Raises|Attributes|Source|Note):", r"**\1**:\n", words, flags=re.MULTILINE)
    words = re.sub(r"^    (\w+):", r"- `\1`:", words, flags=re.MULTILINE)
    return words.replace("``", "`") + (f"\n\n```python\n{code}\n```\n" if code else "\n")


def first_paragraph(room: object) -> str:
    """What the room is for."""
    return (inspect.getdoc(room) or "").split("\n\n")[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"written: {PAGE.name}\n")
