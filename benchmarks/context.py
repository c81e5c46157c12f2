"""What the context of clicks is worth: `python -m benchmarks.context LOG COLUMN... --cuts MOMENT...`.

At each of the cuts the 24 hours before are learned and the sessions of the two hours after it are foretold;
with --start the clicks of 24 hours from it on are, by a model that learned all before and learns each hour
after it was foretold. Each time without context, with the columns, and with the columns shuffled among the
clicks, which must be worth nothing. `rg.RECOMMENDED`, unknown items counted as misses.
"""

import argparse
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import torch

import recsys_gru as rg
from benchmarks.fresh import moment, since

K, HOUR, DAY = 20, timedelta(hours=1), timedelta(days=1)
USUAL: dict[str, Any] = {**rg.RECOMMENDED, "device": "cpu"}


def main() -> None:
    """Print a line for each cut, seed and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("columns", nargs="+")
    parser.add_argument("--cuts", type=moment, nargs="*", default=[], help="such as 2017-10-08T12:00, UTC")
    parser.add_argument("--start", type=moment)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=USUAL["n_epochs"])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    columns = tuple(asked.columns)
    log = rg.check_clicks(rg.read_clicks(asked.log, context=columns)).clicks.collect()
    print(f"{'part':<18}{'seed':>5}  {'context':<12}{'recall@20':>10}{'MRR@20':>8}{'clicks':>9}")
    for seed in asked.seeds:
        own = {**USUAL, "seed": seed, "n_epochs": asked.epochs}
        for cut in asked.cuts:
            for way, clicks, context in ways(log, columns):
                train, test = beside(clicks, cut)
                model = rg.GRU4Rec(context=context, **own).fit(train)
                report = rg.evaluate(model, test, cutoffs=(K,), unknown="miss")
                tell(f"{cut:%d %H:%M}", seed, way, report)
        for way, clicks, context in ways(log, columns) if asked.start else ():
            clicks = clicks.filter(pl.col("time") < asked.start + DAY)
            model = rg.GRU4Rec(context=context, **own).fit(clicks.filter(pl.col("time") < asked.start))
            stream = rg.prequential(model, since(clicks, asked.start), HOUR, asked.start, cutoffs=(K,))
            tell("hourly", seed, way, stream)


def ways(log: pl.DataFrame, columns: tuple[str, ...]) -> Iterator[tuple[str, pl.DataFrame, tuple[str, ...]]]:
    """Without, with, and with labels that say nothing."""
    yield "none", log, ()
    yield "told", log, columns
    shuffled = log.select(columns).sample(fraction=1.0, shuffle=True, seed=1)
    yield "shuffled", log.with_columns(shuffled), columns


def beside(clicks: pl.DataFrame, cut: Any) -> tuple[pl.DataFrame, pl.DataFrame]:  # noqa: ANN401 - a moment
    """The sessions that began in the 24 hours before, as far as they had come, and those of two hours."""
    begun = pl.col("time").min().over("session_id")
    train = clicks.filter((pl.col("time") < cut) & (begun >= cut - DAY))
    return train, clicks.filter((begun >= cut) & (begun < cut + 2 * HOUR))


def tell(part: str, seed: int, way: str, report: rg.Report | rg.Prequential) -> None:
    """Print a line."""
    figures = f"{report.recall[K]:>10.4f}{report.mrr[K]:>8.4f}{report.events:>9,}"
    print(f"{part:<18}{seed:>5}  {way:<12}{figures}", flush=True)


if __name__ == "__main__":
    main()
