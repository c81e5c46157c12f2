"""What keeps a model good over days? `python -m benchmarks.fresh_days LOG --start MIDNIGHT [--end MOMENT]`.

GRU4Rec with the recommended setting learns everything before START. From then on every click is foretold
(prequential), by four ways to go on: fitted anew each midnight and frozen until the next; the same and
learning each hour between; learning each hour and never fitted anew, with each half-life asked for.
Prints recall@20 and MRR@20 of each day, and writes days.json and days.png.
"""

import argparse
import json
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import torch

import recsys_gru as rg
from benchmarks.fresh import HOUR, K, moment, since

DAY = timedelta(days=1)
COLOURS = ("#8a949b", "#0b6e8a", "#c84c09", "#2f9e6e", "#b0559f")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--start", type=moment, required=True, help="a midnight, UTC")
    parser.add_argument("--end", type=moment, required=True)
    parser.add_argument(
        "--half-life", type=float, nargs="*", default=[30_000.0], help="clicks, of the last way"
    )
    parser.add_argument("--out", type=Path, default=Path("build/fresh"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clicks = rg.check_clicks(rg.read_clicks(asked.log)).clicks.lazy().collect()
    clicks = clicks.filter(pl.col("time") < asked.end)
    asked.out.mkdir(parents=True, exist_ok=True)
    found = study(clicks, asked.start, asked.end, asked.half_life)
    (asked.out / "days.json").write_text(json.dumps(found, indent=1, default=str) + "\n")
    draw(found, asked.out / "days.png")


def study(
    clicks: pl.DataFrame, start: datetime, end: datetime, half_lives: list[float]
) -> dict[str, list[dict[str, Any]]]:
    """The hours of every way to go on."""
    found: dict[str, list[dict[str, Any]]] = {}

    def tell(name: str, nightly: bool, learn: bool, half_life: float | None = None) -> None:
        began = time.perf_counter()
        found[name] = hours(clicks, start, end, nightly, learn, half_life)
        print(name, by_day(found[name]), f"{time.perf_counter() - began:.0f} s", flush=True)

    tell("fitted each night, frozen by day", nightly=True, learn=False)
    tell("fitted each night, learning each hour", nightly=True, learn=True)
    tell("learning each hour, never fitted anew", nightly=False, learn=True)
    for half_life in half_lives:
        tell(f"the same, half-life {half_life:g} clicks", nightly=False, learn=True, half_life=half_life)
    return found


def hours(
    clicks: pl.DataFrame, start: datetime, end: datetime, nightly: bool, learn: bool, half_life: float | None
) -> list[dict[str, Any]]:
    """The periods of one way to go on."""
    rows: list[dict[str, Any]] = []
    model, day = None, start
    while day < end:
        if model is None or nightly:
            model = rg.GRU4Rec(**dict(rg.RECOMMENDED) | {"half_life": half_life}).fit(
                clicks.filter(pl.col("time") < day)
            )
        stream = since(clicks.filter(pl.col("time") < day + DAY), day)
        rows += rg.prequential(model, stream, HOUR, day, learn=learn).periods.to_dicts()
        day += DAY
    return rows


def by_day(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Recall and MRR of each day, all clicks of it counted."""
    figures = pl.DataFrame(rows).filter(pl.col("events") > 0).group_by(day=pl.col("start").dt.date()).agg(
        *((pl.col(name) * pl.col("events")).sum() / pl.col("events").sum() for name in FIGURES),
        pl.col("events").sum(),
    )  # fmt: skip
    return {
        str(row["day"]): " / ".join(f"{row[name]:.4f}" for name in FIGURES)
        for row in figures.sort("day").iter_rows(named=True)
    }


FIGURES = (f"recall_at_{K}", f"mrr_at_{K}")


def draw(found: Mapping[str, list[dict[str, Any]]], path: Path) -> None:
    """Recall of every hour, a line for each way to go on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for (name, rows), colour in zip(found.items(), COLOURS, strict=False):
        shown = [row for row in rows if row["events"]]
        axes.plot(
            [row["start"] for row in shown], [row[FIGURES[0]] for row in shown], color=colour, label=name
        )
    axes.set(ylabel="recall@20 of the hour, all clicks counted", ylim=(0, 0.8))
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    axes.grid(axis="y", color="#e2e5e8")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
