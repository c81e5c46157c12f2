"""Training in two processes beside one: `python -m benchmarks.parallel FOLDER [--what speed|recall|memory]`.

FOLDER holds bolcom and retailrocket. *speed*: cross-entropy, 100 units, 32 lanes, one thread each, on the
oldest sessions of retailrocket, by turns: events per second of the last epoch, and per second of the busiest
process's processor, which tells on a busy machine what two idle cores would do. *recall*: equal epochs on the
validation parts, a rate that is good for one process, seed by seed. *memory*: a made log whose catalogue is
large, in one process and with tables divided between two; the largest memory of each process, and of one that
loads what they have saved into FOLDER.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.recall import LOGS, split
from benchmarks.training import CASES, oldest_sessions, peak_mb

if TYPE_CHECKING:
    from recsys_gru.sessions import Sessions

Row = dict[str, Any]
SETTINGS = CASES["cross-entropy 100/32"] | {"layers": (100,), "device": "cpu"}
RATES = {"bolcom": 0.05, "retailrocket": 0.07}
LOADING = "loading"
SIDES: dict[str, tuple[int, Literal["exact", "fast", "divided"] | None]] = {
    "one": (1, None),
    "fast": (2, "fast"),
    "exact": (2, "exact"),
    "divided": (2, "divided"),
    LOADING: (1, None),
}


def main() -> None:
    """Measure, or, as a child, be one side of one turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--what", choices=("speed", "recall", "memory"), default="speed")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=["one", "fast"])
    parser.add_argument("--logs", nargs="+", choices=RATES, default=list(RATES))
    parser.add_argument("--sessions", type=int, default=40_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        as_child(options)
    elif options.what == "speed":
        speeds(options)
    elif options.what == "recall":
        recalls(options)
    else:
        memories(options)


def speeds(options: argparse.Namespace) -> None:
    """A line per side: medians of turns, and the ratio to one process."""
    found: dict[str, list[Row]] = {side: [] for side in options.sides}
    for _ in range(options.turns):
        for side, rows in found.items():
            rows += child(options, "retailrocket", side)
    print("side    events/s      x   events per second of a processor      x")
    for side, rows in found.items():
        names = ("events_per_second", "events_per_processor")
        here, first = (
            [statistics.median(row[name] for row in of) for name in names] for of in (rows, found["one"])
        )
        print(
            f"{side:<7}{here[0]:>9,.0f}{here[0] / first[0]:>7.2f}{here[1]:>36,.0f}{here[1] / first[1]:>7.2f}"
        )


def recalls(options: argparse.Namespace) -> None:
    """A line per log, side and seed."""
    for log in options.logs:
        for side in options.sides:
            for row in child(options, log, side):
                print(
                    f"{log:<14}{side:<7}{row['seed']:>3}{row['recall']:>9.4f}{row['mrr']:>8.4f}", flush=True
                )


def memories(options: argparse.Namespace) -> None:
    """A line per process: MiB of its tables, and its largest memory before, after fit, and after save."""
    print("side     rank  tables   before  after fit  after save")
    for side in ("one", "divided", LOADING):
        for row in child(options, "made", side):
            peaks = f"{row['before']:>9,.0f}{row['fit']:>11,.0f}{row['save']:>12,.0f}"
            print(f"{side:<9}{row['rank']:>4}{row['tables']:>8,.0f}{peaks}", flush=True)


def child(options: argparse.Namespace, log: str, side: str) -> list[Row]:
    """What one side finds, in processes of its own."""
    size, _ = SIDES[side]
    words = [str(options.folder), "--what", options.what, "--child", log, side]
    words += ["--sessions", str(options.sessions), "--seeds", *map(str, options.seeds)]
    words += ["--items", str(options.items), "--units", str(options.units)]
    run = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)] if size > 1 else []
    said = subprocess.run(
        [sys.executable, *run, "-m", "benchmarks.parallel", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ).stdout
    return [json.loads(line) for line in said.splitlines()]


def as_child(options: argparse.Namespace) -> None:
    """Print what this side finds; of several processes the first one does."""
    from recsys_gru.training import Exchange, together

    if SIDES[options.child[1]][1] is None:
        measure(options, Exchange())
        return
    with together() as exchange:
        measure(options, exchange)


def measure(options: argparse.Namespace, exchange: Any) -> None:  # noqa: ANN401 - loaded late
    """Fit, and print a line of JSON for each seed, or for the speed of the last epoch."""
    import torch

    import recsys_gru as rg

    torch.set_num_threads(1)
    log, side = options.child
    path = options.folder / f"{log}.parquet"
    parallel = SIDES[side][1]
    if options.what == "memory":
        for row in exchange.all(memory(options, side)):
            tell(exchange, row)
        return
    if options.what == "speed":
        ends: list[float] = []
        model = rg.GRU4Rec(**SETTINGS, n_epochs=2)
        model.fit(
            oldest_sessions(path, options.sessions),
            parallel=parallel,
            on_epoch=lambda _: ends.append(time.process_time()),
        )
        busiest, last = max(exchange.all(ends[1] - ends[0])), model.history_[-1]
        speed = {"events_per_second": last.events_per_second, "events_per_processor": last.events / busiest}
        tell(exchange, speed)
        return
    train, test = split(path, LOGS[log], validation=True)
    for seed in options.seeds:
        own = {"learning_rate": RATES[log], "n_epochs": 5, "seed": seed}
        model = rg.GRU4Rec(**SETTINGS | own).fit(train, parallel=parallel)
        if exchange.rank == 0:
            report = rg.evaluate(model, test, cutoffs=(20,))
            tell(exchange, {"seed": seed, "recall": report.recall[20], "mrr": report.mrr[20]})
        exchange.any(True)


def memory(options: argparse.Namespace, side: str) -> Row:
    """Fit and save a model over a large catalogue, or load one that was; what this process needs for it."""
    import recsys_gru as rg
    from recsys_gru.recommender.parts import Parts
    from recsys_gru.training import Exchange

    folder = options.folder / "large"
    if side == LOADING:
        before = held_mb()
        model = rg.GRU4Rec.load(folder)
        fit = peak_mb()
        model.recommend_one([0], k=1)
    else:
        train = large(options.items)
        before = held_mb()
        model = rg.GRU4Rec(layers=(options.units,), batch_size=32, sample_alpha=0, n_epochs=1, device="cpu")
        model.fit(train, parallel=SIDES[side][1])
        fit = peak_mb()
        model.save(folder)
    parts = vars(model).get("_parts") or Parts(model.network_, model.slots_, Exchange())
    network, slots = parts.network, parts.slots
    tables = [[network.tables[name], *slots[name].values()] for name in network.tables]
    size = sum(one.nbytes for of in tables for one in of) / 2**20
    return {"rank": network.share.rank, "tables": size, "before": before, "fit": fit, "save": peak_mb()}


def held_mb() -> float:
    """Resident memory of this process now."""
    import psutil

    return psutil.Process().memory_info().rss / 2**20


def large(n_items: int) -> "Sessions":
    """5,000 sessions of ten clicks, the end of a log in which each item was clicked before: as many samples
    as an epoch draws, of all items alike, leave no page of a table untouched."""
    import numpy as np
    import polars as pl

    from recsys_gru.sessions import Sessions, Vocabulary

    items = np.random.default_rng(1).integers(0, n_items, 50_000, dtype=np.int32)
    times = pl.Series(np.arange(50_000)).cast(pl.Datetime("us", "UTC"))
    log = pl.DataFrame({"session_id": np.repeat(np.arange(5_000), 10), "item_id": items, "time": times})
    vocabulary = Vocabulary(pl.Series(np.arange(n_items)), 1 + np.bincount(items, minlength=n_items))
    return replace(Sessions.from_events(log), items=items, vocabulary=vocabulary)


def tell(exchange: Any, found: Row) -> None:  # noqa: ANN401 - loaded late
    """Print it, in the first process."""
    if exchange.rank == 0:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
