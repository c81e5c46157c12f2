"""Training while other programs hold cores: `python -m benchmarks.busy LOG --reference CHECKOUT`.

Cross-entropy, 100 units, on the log's oldest sessions, on one thread and on all: each side in a process of
its own, by turns, beside so many programs that do nothing but count; medians of events per second of the last
of some epochs. Data, parameters and CHECKOUT as in `benchmarks.training`.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.side import run_side
from benchmarks.training import CASES, oldest_sessions, our_speed, reference_speed

CASE = CASES["cross-entropy 100/32"]
EPOCHS = {"reference": 2, "ours": 8}
"""Ours are short: their pace is found in the first."""


def main() -> None:
    """Print a line per number of other programs and threads, or, as a child, measure one side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--sessions", type=int, default=4000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--others", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=EPOCHS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps({"events_per_second": measured(options)}))
        return
    print("other programs  threads  reference      ours     x")
    rows = [row(options, others, threads) for others in options.others for threads in options.threads]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def row(options: argparse.Namespace, others: int, threads: int) -> dict[str, Any]:
    """One line: medians of turns."""
    words = ["--reference", options.reference, "--sessions", options.sessions, "--threads", threads]
    found: dict[str, list[float]] = {side: [] for side in EPOCHS}
    with counting(others):
        for _ in range(options.repeats):
            for side, speeds in found.items():
                done = run_side("busy", options.log, *words, "--side", side)
                speeds.append(done["events_per_second"])
    speed = {side: statistics.median(speeds) for side, speeds in found.items()}
    reference, ours = speed["reference"], speed["ours"]
    print(f"{others:>14}{threads:>9}{reference:>11,.0f}{ours:>10,.0f}{ours / reference:>6.1f}", flush=True)
    return {"others": others, "threads": threads, **speed, "each": found}


@contextmanager
def counting(programs: int) -> Iterator[None]:
    """Let so many processes hold a core each."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measured(options: argparse.Namespace) -> float:
    """Events per second of one side."""
    import torch

    torch.set_num_threads(options.threads[0])
    events = oldest_sessions(options.log, options.sessions)
    parameters = CASE | {"n_epochs": EPOCHS[options.side]}
    if options.side == "reference":
        return reference_speed(options.reference, events, parameters)
    return our_speed(events, parameters | {"layers": tuple(parameters["layers"])})


if __name__ == "__main__":
    main()
