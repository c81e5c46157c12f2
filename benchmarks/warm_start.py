"""Retrain from scratch every day, or go on with partial_fit? `python -m benchmarks.warm_start LOG [--days
5]`.

Walks forward day by day: both models answer the next day's sessions; the one is fitted anew on everything
before it, the other goes on with the newest day alone. Prints recall@20, MRR@20, recall on the items that
were new that day, and seconds.
"""

import argparse
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import torch

import recsys_gru as rg

SETTINGS: dict[str, Any] = {
    "layers": (100,),
    "batch_size": 32,
    "learning_rate": 0.1,
    "logq": 1.0,
    "sample_alpha": 0.75,
    "dropout_p_embed": 0.1,
    "steps_per_update": 4,
    "n_epochs": 5,
    "device": "cpu",
}
K = 20


def main() -> None:
    """Compare over the last days of a log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--days", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    events = rg.check_clicks(rg.read_clicks(arguments.log)).clicks.collect()
    last = events["time"].dt.date().sort()[-1]
    first = last - timedelta(days=arguments.days - 1)
    warm = rg.GRU4Rec(**SETTINGS).fit(before(events, first - timedelta(days=1)))
    print("test day    way          recall@20   MRR@20  new items   on them  seconds")
    for offset in range(arguments.days):
        day = first + timedelta(days=offset)
        test = events.filter(pl.col("time").dt.date() == day)
        started = time.perf_counter()
        scratch = rg.GRU4Rec(**SETTINGS).fit(before(events, day))
        show(day, "scratch", scratch, warm_new(events, day), test, time.perf_counter() - started)
        started = time.perf_counter()
        newest = events.filter(pl.col("time").dt.date() == day - timedelta(days=1))
        warm.partial_fit(rg.filter_sessions(newest, min_support=1, min_length=2))
        show(day, "partial_fit", warm, warm_new(events, day), test, time.perf_counter() - started)


def before(events: pl.DataFrame, day: date) -> pl.DataFrame:
    """Everything before a day, as both ways know it: any support, since a day is too short to ask for
    five."""
    earlier = events.filter(pl.col("time").dt.date() < day)
    return rg.filter_sessions(earlier, min_support=1, min_length=2).lazy().collect()


def warm_new(events: pl.DataFrame, day: date) -> pl.Series:
    """Items first clicked on the day before."""
    firsts = events.group_by("item_id").agg(pl.col("time").min().dt.date())
    return firsts.filter(pl.col("time") == day - timedelta(days=1))["item_id"]


def show(day: date, way: str, model: rg.GRU4Rec, new: pl.Series, test: pl.DataFrame, seconds: float) -> None:
    """Print a line for one model on one day."""
    report = rg.evaluate(model, test, (K,))
    on_new = report.ranks.filter(pl.col("item_id").is_in(new.implode()))
    recall = float((on_new["rank"] <= K).cast(float).sum()) / max(on_new.height, 1)
    figures = (
        f"{report.recall[K]:>10.4f}{report.mrr[K]:>9.4f}{on_new.height:>11}{recall:>9.3f}{seconds:>9.1f}"
    )
    print(f"{day!s:<12}{way:<12}{figures}", flush=True)


if __name__ == "__main__":
    main()
