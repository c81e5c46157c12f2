"""The recommended blend and its parts on test parts: `python -m benchmarks.quality FOLDER --out FILE`.

FOLDER holds bolcom, eshop2008, retailrocket and diginetica as Parquet. Every log is learned up to its test
part, no item left out; every click of the test part from the second of its session on counts, one on an
unknown item as a miss. Once for each seed: the blend of rg.recommended(), and its first network fitted alone.
A figure that stands in FILE already is not measured again.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

import recsys_gru as rg
from benchmarks.figures import asked_of, keep, known

DAYS = {"bolcom": 3, "eshop2008": 14}
FIRST_OF_TEST = {"retailrocket": 126_168, "diginetica": 186_670}
K = 20


def main() -> None:
    """Measure, print, write."""
    asked = asked_of(__doc__, [*DAYS, *FIRST_OF_TEST], Path("build/quality.jsonl"))
    done = {(row["log"], row["seed"]) for row in known(asked.out)}
    for log in asked.logs:
        train, test = parts(asked.folder, log)
        for seed in asked.seeds:
            for row in measured(train, test, seed) if (log, seed) not in done else ():
                keep(asked.out, {"log": log} | row)
    print(means(asked.out))


def parts(folder: Path, log: str) -> tuple[rg.Sessions, pl.DataFrame]:
    """What is learned, and what is tested on."""
    clicks = rg.check_clicks(rg.read_clicks(folder / f"{log}.parquet")).clicks.lazy().collect()
    if log in FIRST_OF_TEST:
        of_test = pl.col("session_id") >= FIRST_OF_TEST[log]
        train, test = clicks.filter(~of_test), clicks.filter(of_test)
    else:
        train, test = (part.lazy().collect() for part in rg.split_by_time(clicks, timedelta(days=DAYS[log])))
    return rg.Sessions.from_events(rg.filter_sessions(train, min_support=1, min_length=2)), test


def measured(train: rg.Sessions, test: pl.DataFrame, seed: int) -> Iterator[dict[str, Any]]:
    """The figures of the blend with this seed, and of its network."""
    models: Any = rg.recommended().parameters()["models"]
    blend = rg.Blend([{**models[0], "seed": seed}, *models[1:]])
    for model in (blend, rg.GRU4Rec(**{**rg.RECOMMENDED, "seed": seed})):
        began = time.perf_counter()
        model.fit(train)
        seconds = time.perf_counter() - began
        report = rg.evaluate(model, test, cutoffs=(K,), unknown="miss")
        yield {
            "seed": seed,
            "model": type(model).__name__,
            "recall": report.recall[K],
            "mrr": report.mrr[K],
            "events": report.events,
            "unknown": report.unknown,
            "repeats": float(report.ranks["repeat"].to_numpy().mean()),
            "seconds": round(seconds),
        }


def means(path: Path) -> pl.DataFrame:
    """The mean of the seeds, and the widest distance between two of them."""
    rows = pl.DataFrame(known(path))
    spread = [(pl.col(name).max() - pl.col(name).min()).alias(f"{name} spread") for name in ("recall", "mrr")]
    figures = [
        pl.col("recall", "mrr").mean(),
        *spread,
        pl.col("events", "repeats").first(),
        pl.len().alias("seeds"),
    ]
    return rows.group_by("log", "model", maintain_order=True).agg(*figures)


if __name__ == "__main__":
    main()
