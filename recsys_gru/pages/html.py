"""Small pieces of HTML and SVG for pages; every text that comes from data is escaped here."""

import html
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 36, 16, 10, 40
TICKS = (1, 2, 5, 10, 20, 50, 100)


class Html(str):
    """Text that is HTML already and must not be escaped again."""

    __slots__ = ()


def text(value: object) -> Html:
    """Any value as HTML.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def document(title: str, body: str) -> str:
    """A whole page: no script, no file from elsewhere, light and dark."""
    style = resources.files("recsys_gru.pages").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def section(title: str, note: str, *parts: str) -> Html:
    """A titled part of the page; empty without parts."""
    body = "".join(parts)
    if not body:
        return Html("")
    about = f'<p class="note">{text(note)}</p>' if note else ""
    return Html(f"<section><h2>{text(title)}</h2>{about}{body}</section>")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], words: int = 1) -> Html:
    """A table that scrolls sideways where it must; the first ``words`` columns hold words, others figures."""
    if not rows:
        return Html("")
    kind = [' class="w"' if place < words else ' class="n"' for place in range(len(head))]
    top = "".join(f"<th{kind[place]}>{text(name)}</th>" for place, name in enumerate(head))
    body = "".join(
        f"<tr>{''.join(f'<td{kind[place]}>{text(cell)}</td>' for place, cell in enumerate(row))}</tr>"
        for row in rows
    )
    return Html(f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>')


def tiles(values: Mapping[str, tuple[str, str]]) -> Html:
    """Headline figures: label -> (figure, small print)."""
    cards = "".join(
        f'<div class="tile"><span>{text(label)}</span><b>{text(figure)}</b><small>{text(small)}</small></div>'
        for label, (figure, small) in values.items()
    )
    return Html(f'<div class="tiles">{cards}</div>')


def chips(
    items: Sequence[object], marked: object = None, names: Mapping[Any, str] = MappingProxyType({})
) -> Html:
    """Items in a row, by their names where they have some, else by their ids; the marked one stands out."""
    parts = []
    for item in items:
        kind = "chip hit" if item == marked else "chip"
        called = f' dir="auto" title="{text(item)}"' if item in names else ""
        parts.append(f'<span class="{kind}"{called}>{text(names.get(item, item))}</span>')
    return Html("".join(parts))


def bars(title: str, rows: Sequence[tuple[str, float, float | None, float | None, int]], top: float) -> Html:
    """A card of bars with whiskers: label, value, low, high, events; ``top`` is the end of the scale."""
    lines = "".join(_bar(*row, top) for row in rows)
    return Html(f'<div class="card"><h3>{text(title)}</h3><div class="bars">{lines}</div></div>')


def _bar(label: str, value: float, low: float | None, high: float | None, events: int, top: float) -> str:
    whisker = ""
    if low is not None and high is not None:
        whisker = f'<i style="left:{low / top:.2%};width:{(high - low) / top:.2%}"></i>'
    return (
        f"<span>{text(label)}</span>"
        f'<div class="bar"><b style="width:{value / top:.2%}"></b>{whisker}</div>'
        f'<span class="n">{value:.3f}</span><span class="n dim">{events:,}</span>'
    )


def curves(series: Mapping[str, NDArray[np.float64]], label: str) -> Html:
    """Lines over k = 1, 2, ... on a logarithmic scale, with a legend; the first series stands out."""
    longest = max(len(values) for values in series.values())
    top, steps = _scale(max(float(values.max()) for values in series.values()))
    lines = "".join(_line(place, values, longest, top) for place, values in enumerate(series.values()))
    return Html(
        f'<figure><svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(label)}">'
        f"{_grid(longest, top, steps)}{lines}</svg>{legend(list(series))}</figure>"
    )


def legend(names: Sequence[str]) -> Html:
    """The lines of a chart by name."""
    keys = "".join(
        f'<span class="key s{place % 8}"><svg viewBox="0 0 24 8"><path d="M0 4H24"/></svg>{text(name)}</span>'
        for place, name in enumerate(names)
    )
    return Html(f'<div class="keys">{keys}</div>' if keys else "")


def facts(values: Mapping[str, object]) -> Html:
    """Names and values in two columns, such as hyper-parameters; empty without any."""
    lines = "".join(
        f"<div><span>{text(name)}</span><b>{text(value)}</b></div>" for name, value in values.items()
    )
    return Html(f'<div class="facts">{lines}</div>' if lines else "")


def _x(k: float, longest: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(k) / math.log(max(longest, 2))


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _scale(value: float) -> tuple[float, int]:
    """The end of the scale and the number of its steps, so that grid lines have short names."""
    step = next(step for step in (0.2, 0.1, 0.05, 0.02, 0.01) if value > 2 * step or step == 0.01)
    steps = max(math.ceil(value / step), 1)
    return step * steps, steps


def _line(place: int, values: NDArray[np.float64], longest: int, top: float) -> str:
    points = " ".join(f"{_x(k, longest):.1f},{_y(float(v), top):.1f}" for k, v in enumerate(values, start=1))
    return f'<polyline class="s{place % 8}" points="{points}"/>'


def _grid(longest: int, top: float, steps: int) -> str:
    across = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(v, top):.1f}" y2="{_y(v, top):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{_y(v, top) + 4:.1f}" text-anchor="end">{v:.3g}</text>'
        for v in np.linspace(0, top, steps + 1).tolist()
    ]
    down = [
        f'<text x="{_x(k, longest):.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{k}</text>'
        for k in TICKS
        if k <= longest
    ]
    name = f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 5}" text-anchor="middle">k (cut-off)</text>'
    return "".join([*across, *down, name])
