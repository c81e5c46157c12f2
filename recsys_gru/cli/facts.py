"""`--items` and `--kind`: facts about items on the command line, read once and told."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recsys_gru.errors import ParameterError

if TYPE_CHECKING:
    from recsys_gru.facts import CheckedItems, Encoding
    from recsys_gru.sessions import Vocabulary


name_option = click.option(
    "--name",
    "called",
    metavar="COLUMN",
    help="Column of the items file that people are shown in place of ids; else one called name, title or so.",
)


@dataclass(frozen=True)
class ItemsFile:
    """Which file tells of the items, None for no such file, and what its columns are where it is said."""

    path: Path | None
    kinds: dict[str, str]
    name: str | None = None

    def __post_init__(self) -> None:
        """Raise ParameterError where columns are told of no file."""
        for option, told in (("--kind", self.kinds), ("--name", self.name)):
            if told and self.path is None:
                raise ParameterError(f"{option} says what a column of an items file is: give the file too")

    def naming(self, vocabulary: "Vocabulary") -> "Vocabulary":
        """The vocabulary with the names in the file."""
        from recsys_gru.facts import check_items

        if self.path is None:
            return vocabulary
        checked = check_items(self.path, name=self.name, ids_like=vocabulary)
        if checked.name is None:
            raise ParameterError(f"no column of {self.path} is called name, title or so: say --name COLUMN")
        return checked.naming(vocabulary)

    def read(self, like: "Vocabulary") -> "CheckedItems | None":
        """The facts, checked, with ids of the type of the log's, and how many there are, printed."""
        from recsys_gru.facts import check_items

        if self.path is None:
            return None
        found = check_items(self.path, kinds=self.kinds, name=self.name, ids_like=like)
        reasons = ", ".join(f"{name}: {count:,}" for name, count in list(found.counts.items())[3:])
        told = ", ".join(f"{found.counts[name]:,} {name}" for name in ("read", "kept", "rejected"))
        click.echo(f"items      {told}{f' ({reasons})' if reasons else ''}")
        new = int((like.numbers(found.items["item_id"]) < 0).sum())
        click.echo(f"           {found.items.height - new:,} of them in the log, {new:,} that no click is on")
        return found


def items_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options of an items file; the command receives them as one ``items``."""

    @functools.wraps(command)
    def packed(
        *,
        items_path: Path | None,
        kind_of: tuple[str, ...],
        called: str | None,
        **given: Any,  # noqa: ANN401 - click's own values
    ) -> object:
        return command(items=ItemsFile(items_path, _kinds(kind_of), called), **given)

    kind = click.option(
        "--kind",
        "kind_of",
        multiple=True,
        metavar="COLUMN=KIND",
        help="What a column of --items is: label, labels, number, vector or words; else its values say it.",
    )
    path = click.option(
        "--items",
        "items_path",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="File of facts about items, item_id and any columns, which GRU4Rec learns from.",
    )
    wrapped: Callable[..., object] = path(kind(name_option(packed)))
    return wrapped


def _kinds(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if odd := [text for text, (name, _, kind) in zip(texts, pairs, strict=True) if not (name and kind)]:
        raise ParameterError(f"expected a column's kind as name=kind, got {odd[0]!r}: write title=words")
    return {name.strip(): kind.strip() for name, _, kind in pairs}


def show_encoding(encoding: "Encoding") -> None:
    """What became of each column."""
    for row in encoding.told().iter_rows(named=True):
        click.echo(f"fact       {row['column']} ({row['kind']}): {row['became']}")
