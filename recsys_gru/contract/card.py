"""The model card: what a person should know of a saved model, made of what lies in the folder and nothing
else. What is not known is said so."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from recsys_gru.contract.manifest import Manifest
from recsys_gru.contract.span import NOTES, span_in
from recsys_gru.sessions import Vocabulary

CARD: Final = "card.md"
FEW: Final = 5
INTERVAL: Final = "/interval"
"""Ends the name of the note that holds a figure's interval."""
LICENCE: Final = "licence"


def card(manifest: Manifest, vocabulary: Vocabulary) -> bytes:
    """The bytes of card.md, the same for the same model."""
    writer = manifest.libraries.get("recsys-gru", "of an unknown version")
    notes = {name: str(note) for name, note in manifest.metadata.items()}
    rest = {name: note for name, note in notes.items() if name not in (*NOTES, LICENCE)}
    evaluated = {name: note for name, note in rest.items() if name.startswith("test/")}
    rest = {name: note for name, note in rest.items() if name not in evaluated}
    lines = [
        f"# {_plain(manifest.model)}",
        "",
        f"Ranks the next items of a session. Written by recsys-gru {writer} with the saved model, whose "
        "manifest seals this page.",
        "",
        "```python",
        "import recsys_gru as rg",
        "",
        'model = rg.load("FOLDER")  # the folder of this page',
        "model.recommend_one([...], k=20)  # ids of one session, oldest first",
        "```",
        *_data(vocabulary, manifest.fingerprint, notes),
        *_figures(manifest.metrics, evaluated),
        *_limits(vocabulary, evaluated),
        *_section("Licence", [_plain(notes[LICENCE]) if LICENCE in notes else NO_LICENCE]),
        *_section("Hyper-parameters", _table(("name", "value"), _values(manifest.parameters))),
        *(_section("Notes", _table(("name", "note"), rest.items())) if rest else []),
    ]
    return ("\n".join(lines) + "\n").encode()


NO_LICENCE = (
    'Not stated: neither for the model nor for the data. `save(metadata={"licence": "..."})` states it.'
)
NO_FIGURES = (
    "None are kept with this model: `save(metrics=report.figures(), metadata=report.notes())` keeps those of "
    "an evaluation."
)


def _data(vocabulary: Vocabulary, fingerprint: str, notes: Mapping[str, str]) -> list[str]:
    span = span_in(notes)
    moments = "not known" if span is None else " to ".join(_moment(end) for end in span)
    rows = [
        ("clicks learned from, first and last", moments),
        ("items", f"{len(vocabulary):,}"),
        ("clicks of these in the training part (support)", f"{vocabulary.support.sum():,}"),
        ("SHA-256 of the sessions (fingerprint)", fingerprint or "not known"),
        ("sessions", "not kept"),
    ]
    return _section("Data", _table(("what", "value"), rows))


def _figures(metrics: Mapping[str, float], evaluated: Mapping[str, str]) -> list[str]:
    if not metrics:
        return _section("Figures", [NO_FIGURES])
    ends = {name.removesuffix(INTERVAL): note for name, note in evaluated.items() if name.endswith(INTERVAL)}
    rows = [(name, f"{value:.4f}", ends.get(f"test/{name}", "not kept")) for name, value in metrics.items()]
    conventions = [
        f"{name.removeprefix('test/')}: {note}"
        for name, note in evaluated.items()
        if not name.endswith(INTERVAL)
    ]
    said = (
        "; ".join(map(_plain, conventions))
        or "Not kept: which sessions, which tie rule, what of unknown items."
    )
    return _section(
        "Figures", [*_table(("figure", "value", "interval"), rows), "", f"How they were taken: {said}"]
    )


def _limits(vocabulary: Vocabulary, evaluated: Mapping[str, str]) -> list[str]:
    support = vocabulary.support
    cold, few = int((support == 0).sum()), int(((support > 0) & (support < FEW)).sum())
    share = evaluated.get("test/unknown_share", "not measured here")
    of_cold = (
        f"{cold:,} items have no click in the training part and are recommended from facts alone."
        if cold
        else "Every item has a click in the training part; others are never recommended."
    )
    return _section(
        "Limits",
        [
            f"- Clicks on items outside the {len(vocabulary):,} known ones are left out of a session; their "
            f"share of the clicks tested on: {_plain(share)}.",
            f"- {of_cold}",
            f"- {few:,} items have fewer than {FEW} clicks there: little is known of what follows them.",
            "- A session without a known item gets the most clicked ones. Nothing is known of who clicks: "
            "sessions are all it sees.",
        ],
    )


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [_row(heads), "|---" * len(heads) + "|", *(_row(row) for row in rows)]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _values(parameters: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(name, json.dumps(value, default=str)) for name, value in sorted(parameters.items())]


def _moment(microseconds: int) -> str:
    """A time in words, or the number where it lies outside the calendar."""
    try:
        return f"{datetime.fromtimestamp(microseconds / 1e6, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):
        return f"{microseconds} microseconds"


def _plain(text: object) -> str:
    """Text that stays text in a Markdown table."""
    words = " ".join(str(text).split())
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "\\`"), ("[", "\\[")):
        words = words.replace(sign, written)
    return words
