"""What each part of the recommended network is worth: `python -m benchmarks.ablation FOLDER --out FILE`.

FOLDER holds bolcom, eshop2008, retailrocket and diginetica as Parquet. Everything is learned and judged
before the test parts: the days before bolcom's and eshop2008's, and of the two others 60,000 sessions and
the 4,000 after them. No item is left out, a click on an unknown item is a miss. No part, each alone, each
left out, and all; microseconds are those of a processor for each event learned. Figures that stand in FILE
already are not measured again.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
from scipy.stats import t

import recsys_gru as rg
from benchmarks.figures import asked_of, keep, known
from benchmarks.quality import DAYS, K

FIRST_OF_VALIDATION = {"retailrocket": 121_168, "diginetica": 170_000}
LEARNED, JUDGED = 60_000, 4000
"""Sessions of the two larger logs."""
PARTS: dict[str, Any] = {name: rg.RECOMMENDED[name] for name in ("scale", "look_back", "repeats")}


def variants() -> Mapping[str, dict[str, Any]]:
    """What is tried: the parts that each has."""
    none = dict.fromkeys(PARTS, 0)
    alone = {f"only {name}": {**none, name: value} for name, value in PARTS.items()}
    left_out = {f"without {name}": {**PARTS, name: 0} for name in PARTS}
    return {"none": none, "all": PARTS, **alone, **left_out}


def main() -> None:
    """Measure, print, write."""
    asked = asked_of(__doc__, [*DAYS, *FIRST_OF_VALIDATION], Path("build/ablation.jsonl"))
    done = {(row["log"], row["variant"], row["seed"]) for row in known(asked.out)}
    for log in asked.logs:
        train, judged = parts(asked.folder, log)
        for row in measured(log, train, judged, asked.seeds, done):
            keep(asked.out, row)
    print(means(asked.out))


def parts(folder: Path, log: str) -> tuple[rg.Sessions, pl.DataFrame]:
    """What is learned, and what is judged on."""
    clicks = rg.check_clicks(rg.read_clicks(folder / f"{log}.parquet")).clicks.lazy().collect()
    if log in DAYS:
        span = timedelta(days=DAYS[log])
        before_test = rg.split_by_time(clicks, span).train
        train, judged = (part.lazy().collect() for part in rg.split_by_time(before_test, span))
    else:
        first, number = FIRST_OF_VALIDATION[log], pl.col("session_id")
        train = clicks.filter(number >= first - LEARNED, number < first)
        judged = clicks.filter(number >= first, number < first + JUDGED)
    return rg.Sessions.from_events(rg.filter_sessions(train, min_support=1, min_length=2)), judged


def measured(
    log: str, train: rg.Sessions, judged: pl.DataFrame, seeds: list[int], done: set[tuple[str, str, int]]
) -> Iterator[dict[str, Any]]:
    """The figures of each variant with each seed."""
    for seed in seeds:
        for name, own in variants().items():
            if (log, name, seed) in done:
                continue
            model = rg.GRU4Rec(**{**rg.RECOMMENDED, **own, "seed": seed})
            began = time.process_time()
            model.fit(train)
            seconds = time.process_time() - began
            report = rg.evaluate(model, judged, cutoffs=(K,), unknown="miss")
            events = sum(epoch.events for epoch in model.history_)
            yield {
                "log": log,
                "variant": name,
                "seed": seed,
                "recall": report.recall[K],
                "mrr": report.mrr[K],
                "microseconds": seconds / events * 1e6,
            }


def means(path: Path) -> pl.DataFrame:
    """The mean of the seeds, and half the width of its 95 % interval (Student, over the seeds of a row)."""
    rows = pl.DataFrame(known(path))
    factors = {seeds: float(t.ppf(0.975, seeds - 1)) for seeds in range(2, len(rows) + 1)}
    student = pl.len().replace_strict(factors, default=None, return_dtype=pl.Float64) / pl.len().sqrt()
    widths = [(student * pl.col(name).std()).alias(f"{name} +-") for name in ("recall", "mrr")]
    columns = [
        pl.col("recall", "mrr").mean(),
        *widths,
        pl.col("microseconds").median(),
        pl.len().alias("seeds"),
    ]
    return rows.group_by("log", "variant", maintain_order=True).agg(*columns)


if __name__ == "__main__":
    main()
