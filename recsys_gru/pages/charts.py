"""Charts in SVG: axes with marks that are never cut, and lines, areas, columns and dots between them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from recsys_gru.pages.html import Html, legend, text

WIDTH, HEIGHT = 480, 230
TOP, RIGHT = 14, 14
LETTER, LINE = 10.0, 17
"""Room that a letter and a line take at most: those of the widest usual font, at the size of a phone."""
STEPS = 5
"""Most steps between the marks of an axis."""
DECADE = 10.0


@final
@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high``, its marks with their labels, its name; logarithmic or not."""

    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    name: str = ""
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1; what lies outside is put at the end."""
        low, high, value = (
            map(math.log10, (self.low, self.high, max(value, self.low)))
            if self.is_log
            else (self.low, self.high, value)
        )
        return min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)

    @classmethod
    def linear(cls, low: float, high: float, name: str = "", *, whole: bool = False) -> "Axis":
        """Round marks that embrace both values.

        >>> Axis.linear(0, 830).marks[-1]
        (1000.0, '1,000')
        """
        step = _round_step((high - low) or abs(high) or 1.0)
        step = max(step, 1.0) if whole else step
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        last = max(last, first + 1)
        digits = max(0, -math.floor(math.log10(step)))
        values = [round(step * place, digits) for place in range(first, last + 1)]
        return cls(values[0], values[-1], [(value, short(value)) for value in values], name)

    @classmethod
    def logarithmic(cls, low: float, high: float, name: str = "") -> "Axis":
        """Powers of ten as marks, and 2 and 5 times them where they are few.

        >>> [label for _, label in Axis.logarithmic(1, 20_000).marks]
        ['1', '10', '100', '1,000', '10k']
        """
        high = max(high, 2 * low)
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        often = (1, 2, 5) if len(powers) <= 3 else (1,)
        every = math.ceil(len(powers) / 7)
        values = [times * DECADE**power for power in powers[::every] for times in often]
        marks = [(value, short(value)) for value in values if low <= value * 1.000001 <= high * 1.000002]
        return cls(low, high, marks, name, is_log=True)


@final
@dataclass(frozen=True)
class Frame:
    """The place between two axes; as wide a margin as their labels need."""

    x: Axis
    y: Axis
    height: int = HEIGHT

    @property
    def left(self) -> float:
        """Where the x axis begins."""
        return 10 + LETTER * max(len(label) for _, label in self.y.marks)

    @property
    def top(self) -> float:
        """Where the y axis ends."""
        return TOP + (LINE if self.y.name else 0)

    @property
    def bottom(self) -> float:
        """Where the y axis begins."""
        return self.height - LINE * (2 if self.x.name else 1) - 9

    def across(self, value: float) -> float:
        """The place of an x."""
        return self.left + (WIDTH - RIGHT - self.left) * self.x.share(value)

    def up(self, value: float) -> float:
        """The place of a y."""
        return self.bottom - (self.bottom - self.top) * self.y.share(value)


def card(title: str, frame: Frame, *marks: str, note: str = "", keys: Sequence[str] = ()) -> Html:
    """A titled chart, with the names of its lines below where there are several."""
    below = legend(keys) + (f'<p class="note">{text(note)}</p>' if note else "")
    return Html(
        f'<div class="card"><h3>{text(title)}</h3><svg class="chart" viewBox="0 0 {WIDTH} {frame.height}" '
        f'role="img" aria-label="{text(title)}">{_grid(frame)}{"".join(marks)}</svg>{below}</div>'
    )


def line(frame: Frame, xs: Iterable[float], ys: Iterable[float], kind: str = "s0") -> str:
    """A line through points."""
    return f'<polyline class="{kind}" points="{_points(frame, xs, ys)}"/>'


def area(frame: Frame, xs: Sequence[float], ys: Sequence[float]) -> str:
    """A line with what lies under it filled."""
    ends = f"{frame.across(xs[-1]):.1f},{frame.bottom:.1f} {frame.across(xs[0]):.1f},{frame.bottom:.1f}"
    return f'<polygon class="fill" points="{_points(frame, xs, ys)} {ends}"/>{line(frame, xs, ys)}'


def columns(frame: Frame, edges: Iterable[tuple[float, float]], ys: Iterable[float]) -> str:
    """A column between each pair of edges."""
    return "".join(
        f'<rect class="column" x="{frame.across(low):.1f}" y="{frame.up(y):.1f}" '
        f'width="{max(frame.across(high) - frame.across(low) - 1, 0.5):.1f}" '
        f'height="{frame.bottom - frame.up(y):.1f}"/>'
        for (low, high), y in zip(edges, ys, strict=True)
    )


def dots(frame: Frame, xs: Iterable[float], ys: Iterable[float]) -> str:
    """A dot at each point."""
    return "".join(
        f'<circle class="dot" cx="{frame.across(x):.1f}" cy="{frame.up(y):.1f}" r="2.6"/>'
        for x, y in zip(xs, ys, strict=True)
    )


def upright(frame: Frame, x: float) -> str:
    """A vertical line at an x."""
    place = f"{frame.across(x):.1f}"
    return f'<path class="upright" d="M{place} {frame.top:.1f}V{frame.bottom:.1f}"/>'


def trend(title: str, series: Mapping[str, Sequence[float]]) -> Html:
    """A card with lines over 1, 2, ...; the axis embraces the values and need not hold 0."""
    last = max(len(values) for values in series.values())
    low, high = min(map(min, series.values())), max(map(max, series.values()))
    marks = {1, *(value for value, _ in Axis.linear(1, last, whole=True).marks if 1 <= value <= last)}
    if last - max(marks) >= (last - 1) / (2 * STEPS):
        marks.add(last)
    x = Axis(1, max(last, 2), [(value, f"{value:,.0f}") for value in sorted(marks)], "epoch")
    frame = Frame(x, Axis.linear(low, high))
    lines = [
        line(frame, range(1, len(values) + 1), values, f"s{n % 8}")
        for n, values in enumerate(series.values())
    ]
    return card(title, frame, *lines, keys=list(series) if len(series) > 1 else ())


def short(value: float) -> str:
    """A number as a mark on an axis.

    >>> [short(value) for value in (0, 0.25, 1_500, 12_000, 2_500_000)]
    ['0', '0.25', '1,500', '12k', '2.5M']
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):,.4g}{letter}"
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def _round_step(span: float) -> float:
    """The smallest of 1, 2, 5, 10, ... that needs few steps for the span."""
    power = DECADE ** math.floor(math.log10(span / STEPS))
    return next(times * power for times in (1, 2, 5, 10) if times * power * STEPS >= span * 0.999999)


def _points(frame: Frame, xs: Iterable[float], ys: Iterable[float]) -> str:
    return " ".join(f"{frame.across(x):.1f},{frame.up(y):.1f}" for x, y in zip(xs, ys, strict=True))


def _grid(frame: Frame) -> str:
    """Lines at the marks of y, labels at those of both, and the names."""
    rows = "".join(
        f'<line class="grid" x1="{frame.left:.1f}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f"{_label(frame.left - 6, y + 4, 'end', label)}"
        for y, label in ((frame.up(value), label) for value, label in frame.y.marks)
    )
    below = frame.bottom + LINE + 2
    marks = "".join(_mark(frame.across(value), below, label) for value, label in frame.x.marks)
    middle = (frame.left + WIDTH - RIGHT) / 2
    names = _label(middle, frame.height - 4, "middle", frame.x.name) + _label(
        2, TOP + 1, "start", frame.y.name
    )
    return rows + marks + names


def _mark(x: float, y: float, label: str) -> str:
    """A label below its place, or leaning inward where it would be cut."""
    half = LETTER * len(label) / 2
    if x < half:
        return _label(2.0, y, "start", label)
    return _label(WIDTH - 2.0, y, "end", label) if x > WIDTH - half else _label(x, y, "middle", label)


def _label(x: float, y: float, anchor: str, label: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(label)}</text>' if label else ""
