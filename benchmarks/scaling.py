"""How the cost of training grows: `python -m benchmarks.scaling [--json FILE] [--plot FILE]`.

One thread, cross-entropy, 32 lanes, 2,048 samples, on made-up logs: ten times the events, ten times the
items, twice and four times the units. Each point is the median of an epoch's seconds over some turns with the
others, each turn as many events long, as a machine may be faster for a moment than for seconds; beside it the
growth of the floating-point operations that the step needs. A cost that grows faster is overhead.
"""

import argparse
import json
import statistics
from itertools import chain
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
import torch

import recsys_gru as rg
from benchmarks.training import flops_per_event

Row = dict[str, Any]
SETTINGS: dict[str, Any] = {"batch_size": 32, "learning_rate": 0.1, "logq": 1.0, "sample_alpha": 0.75}
EVENTS, ITEMS, UNITS = 40_000, 4_000, 64
TURNS = 3
STUDIES = {
    "events": [(EVENTS * times, ITEMS, UNITS) for times in (1, 3, 10)],
    "items": [(EVENTS, ITEMS * times, UNITS) for times in (1, 3, 10)],
    "units": [(EVENTS, ITEMS, UNITS * times) for times in (1, 2, 4)],
}


def main() -> None:
    """Print a line per point; write them as JSON and as a plot if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("study      events    items  units  seconds   times  operations")
    rows = [row for study, points in STUDIES.items() for row in measured(study, points)]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    if options.plot:
        draw(rows, options.plot)


def measured(study: str, points: list[tuple[int, int, int]]) -> list[Row]:
    """The points of one study, each beside the first."""
    turns = [[epochs(*point) for point in points] for _ in range(TURNS)]
    seconds = [statistics.median(chain(*taken)) for taken in zip(*turns, strict=True)]
    rows: list[Row] = []
    for (events, items, units), taken in zip(points, seconds, strict=True):
        work = events * flops_per_event(drawn(events, items), parameters(units))
        row: Row = {"study": study, "events": events, "items": items, "units": units}
        row |= {"seconds": taken, "work": work}
        first = rows[0] if rows else row
        row |= {"times": taken / first["seconds"], "operations": work / first["work"]}
        rows.append(row)
        print(
            f"{study:<8}{events:>9,}{items:>9,}{units:>7}{taken:>9.2f}{row['times']:>8.2f}{row['operations']:>12.2f}",
            flush=True,
        )
    return rows


def epochs(events: int, items: int, units: int) -> list[float]:
    """Seconds of each epoch of a fit but the first."""
    length = {"n_epochs": 1 + STUDIES["events"][-1][0] // events}
    model = rg.GRU4Rec(**(parameters(units) | length), device="cpu").fit(drawn(events, items))
    return [one.seconds for one in model.history_[1:]]


def parameters(units: int) -> dict[str, Any]:
    """Of a network of one layer."""
    return SETTINGS | {"layers": (units,)}


def drawn(events: int, items: int) -> pl.DataFrame:
    """Sessions of five clicks, items by a power law; what is learned does not matter here."""
    rng = np.random.default_rng(1)
    weights = np.arange(1, items + 1) ** -0.6
    return pl.DataFrame(
        {
            "session_id": np.arange(events) // 5,
            "item_id": rng.choice(items, events, p=weights / weights.sum()),
            "time": pl.Series(np.arange(events) * 1_000_000).cast(pl.Datetime("us", "UTC")),
        }
    )


def draw(rows: list[Row], path: Path) -> None:
    """One panel per study: how often the seconds, and the operations, of its first point."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(STUDIES), figsize=(10, 3.2), constrained_layout=True)
    for panel, study in zip(panels, STUDIES, strict=True):
        points = [row for row in rows if row["study"] == study]
        x = [row[study] for row in points]
        panel.plot(x, [row["operations"] for row in points], "--", color="0.5", label="operations needed")
        panel.plot(x, [row["times"] for row in points], "o-", color="C0", label="seconds measured")
        panel.set(xscale="log", yscale="log", xlabel=study, title=f"more {study}")
        panel.set_xticks(x, [f"{value:,}" for value in x])
        panel.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        panel.minorticks_off()
    panels[0].set_ylabel("times the first point")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
