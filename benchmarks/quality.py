"""The recommended blend and its parts on test parts: `python -m benchmarks.quality FOLDER --out FILE`.

FOLDER holds bolcom, eshop2008, retailrocket and diginetica as Parquet. Every log is learned up to its test
part, no item left out; every click of the test part from the second of its session on counts, one on an
unknown item as a miss. Once for each seed: the blend of rg.recommended(), and the GRU4Rec among its members.
A figure that stands in FILE already is not measured again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import torch

import recsys_gru as rg

DAYS = {"bolcom": 3, "eshop2008": 14}
FIRST_OF_TEST = {"retailrocket": 126_168, "diginetica": 186_670}
K = 20


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--logs", nargs="*", default=[*DAYS, *FIRST_OF_TEST])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("build/quality.jsonl"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    lines = asked.out.read_text().splitlines() if asked.out.exists() else []
    done = {(row["log"], row["seed"]) for row in map(json.loads, lines)}
    for log in asked.logs:
        train, test = parts(asked.folder, log)
        for seed in asked.seeds:
            for row in measured(train, test, seed) if (log, seed) not in done else ():
                print({"log": log} | row, flush=True)
                with asked.out.open("a") as file:
                    file.write(json.dumps({"log": log} | row) + "\n")
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
    began = time.perf_counter()
    models: Any = rg.recommended().parameters()["models"]
    blend = rg.Blend([{**models[0], "seed": seed}, *models[1:]]).fit(train)
    seconds = time.perf_counter() - began
    for name, model in (("Blend", blend), ("GRU4Rec", blend.members_[0])):
        report = rg.evaluate(model, test, cutoffs=(K,), unknown="miss")
        yield {
            "seed": seed,
            "model": name,
            "recall": report.recall[K],
            "mrr": report.mrr[K],
            "events": report.events,
            "unknown": report.unknown,
            "repeats": float(report.ranks["repeat"].to_numpy().mean()),
            "seconds": round(seconds),
        }


def means(path: Path) -> pl.DataFrame:
    """The mean of the seeds, and the widest distance between two of them."""
    rows = pl.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
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
