"""Training in two processes beside one: `python -m benchmarks.parallel FOLDER [--what speed|recall]`.

FOLDER holds bolcom and retailrocket. *speed*: cross-entropy, 100 units, 32 lanes, one thread each, on the
oldest sessions of retailrocket, by turns: events per second of the last epoch, and per second of the busiest
process's processor, which tells on a busy machine what two idle cores would do. *recall*: equal epochs on the
validation parts, a rate that is good for one process, seed by seed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from benchmarks.recall import LOGS, split
from benchmarks.training import CASES, oldest_sessions

Row = dict[str, Any]
SETTINGS = CASES["cross-entropy 100/32"] | {"layers": (100,), "device": "cpu"}
RATES = {"bolcom": 0.05, "retailrocket": 0.07}
SIDES: dict[str, tuple[int, Literal["exact", "fast"] | None]] = {
    "one": (1, None),
    "fast": (2, "fast"),
    "exact": (2, "exact"),
}


def main() -> None:
    """Measure, or, as a child, be one side of one turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--what", choices=("speed", "recall"), default="speed")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=["one", "fast"])
    parser.add_argument("--logs", nargs="+", choices=RATES, default=list(RATES))
    parser.add_argument("--sessions", type=int, default=40_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        as_child(options)
    elif options.what == "speed":
        speeds(options)
    else:
        recalls(options)


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


def child(options: argparse.Namespace, log: str, side: str) -> list[Row]:
    """What one side finds, in processes of its own."""
    size, _ = SIDES[side]
    words = [str(options.folder), "--what", options.what, "--child", log, side]
    words += ["--sessions", str(options.sessions), "--seeds", *map(str, options.seeds)]
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


def tell(exchange: Any, found: Row) -> None:  # noqa: ANN401 - loaded late
    """Print it, in the first process."""
    if exchange.rank == 0:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
