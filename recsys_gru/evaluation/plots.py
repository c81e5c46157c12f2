"""Pictures as files (PNG, SVG, PDF by the name's ending), for trackers and papers."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from recsys_gru.evaluation.cases import recall_curve
from recsys_gru.evaluation.compare import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCENT, PALE = "#1d2327", "#0b6e8a", "#c9dfe6"
OTHERS = ("#c8553d", "#7a5cc0", "#2f8a4e", "#b77b12", "#b03a7a", "#5f6b75", "#4a63c8")


def draw_recall_curves(ledgers: Mapping[str, pl.DataFrame], path: Path | str, longest: int = 100) -> None:
    """Draw recall@k over k of several rank ledgers; the first one stands out."""
    figure, axes = _canvas(7.0, 4.2)
    for place, (name, ranks) in enumerate(ledgers.items()):
        curve = recall_curve(ranks, longest)
        color = ACCENT if place == 0 else OTHERS[(place - 1) % len(OTHERS)]
        style = {"linewidth": 2.6} if place == 0 else {"linewidth": 1.4, "linestyle": "--"}
        axes.plot(np.arange(1, longest + 1), curve, color=color, label=plain(name), **style)
    axes.set(xscale="log", xlabel="k (cut-off)", ylabel="recall@k", xlim=(1, longest), ylim=(0, None))
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500) if k <= longest]
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.minorticks_off()
    axes.grid(axis="y", color="#e2e5e8")
    axes.legend(frameon=False, loc="lower right")  # the curves rise; to search for a place takes seconds
    figure.savefig(path, dpi=120)


def draw_slices(table: pl.DataFrame, path: Path | str, metric: str = "recall") -> None:
    """Draw what ``slices`` gave, a row of bars with intervals for each slice."""
    figure, axes = _canvas(7.0, 0.24 * table.height + 1.2)
    labels = [plain(f"{name}: {part}") for name, part in table.select("slice", "part").iter_rows()]
    values = table[metric].to_numpy()
    low = table[f"{metric}_low"].fill_null(table[metric]).to_numpy()
    high = table[f"{metric}_high"].fill_null(table[metric]).to_numpy()
    places = np.arange(table.height)
    axes.barh(places, values, color=PALE, height=0.7)
    reach = np.stack([values - low, high - values])
    axes.errorbar(values, places, xerr=reach, fmt=".", color=ACCENT, linewidth=1.2)
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=metric, ylim=(table.height - 0.4, -0.6))
    figure.savefig(path, dpi=120)


def draw_comparison(comparison: Comparison, path: Path | str, names: tuple[str, str] = ("A", "B")) -> None:
    """Draw the differences of a comparison with their intervals; blue where the corrected p is below .05."""
    table = comparison.table
    figure, axes = _canvas(7.0, 0.42 * table.height + 1.4)
    for place, row in enumerate(table.iter_rows(named=True)):
        color = ACCENT if row["p_holm"] < 0.05 else "#8a949b"
        axes.plot([row["low"], row["high"]], [place, place], color=color, linewidth=2)
        axes.plot(row["difference"], place, "o", color=color)
    axes.axvline(0, color=INK, linewidth=0.8)
    labels = [f"{name}@{k}" for name, k in table.select("metric", "k").iter_rows()]
    axes.set_yticks(range(table.height), labels)
    axes.set(xlabel=plain(f"{names[1]} minus {names[0]}, 95 % interval"), ylim=(table.height - 0.4, -0.6))
    axes.grid(axis="x", color="#e2e5e8")
    figure.savefig(path, dpi=120)


def plain(text: str) -> str:
    r"""Text that Matplotlib draws letter by letter: no ``$`` begins a formula, no first ``_`` hides it.

    >>> print(plain("shop $us_{$"))
    shop \$us_{\$
    """
    drawn = text.encode("utf-8", "replace").decode().replace("$", r"\$")
    return f" {drawn}" if drawn.startswith("_") else drawn


def _canvas(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # a figure without pyplot: no global state, no window

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes
