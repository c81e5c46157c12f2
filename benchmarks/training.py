"""Training beside the published implementation: `python -m benchmarks.training LOG --reference CHECKOUT`.

Each side trains in a process of its own, by turns, on the same sessions with the same parameters and threads;
the table holds medians of events per second, the ratio, and peak memory. CHECKOUT is a clone of
hidasib/GRU4Rec_PyTorch_Official; on NumPy 2 and pandas 3 cast its initial weights to float32 and take
`.values` of the support look-up. Nothing of it is part of this project.
"""

import argparse
import contextlib
import io
import json
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

XE = {"loss": "cross-entropy", "n_sample": 2048, "logq": 1.0}
CASES: dict[str, dict[str, Any]] = {
    "cross-entropy 100/32": XE
    | {"layers": [100], "batch_size": 32, "learning_rate": 0.1, "sample_alpha": 0.75},
    "cross-entropy 480/48": XE
    | {
        "layers": [480],
        "batch_size": 48,
        "learning_rate": 0.07,
        "sample_alpha": 0.2,
        "dropout_p_hidden": 0.2,
    },
    "bpr-max 224/80": {
        "loss": "bpr-max",
        "layers": [224],
        "batch_size": 80,
        "dropout_p_embed": 0.5,
        "dropout_p_hidden": 0.05,
        "learning_rate": 0.05,
        "momentum": 0.4,
        "sample_alpha": 0.4,
        "n_sample": 2048,
        "bpreg": 1.95,
        "elu_param": 0.5,
    },
}
FAST = 8
"""Steps per update of the fast mode."""


def main() -> None:
    """Measure every case, or, as a child, one side of one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--sessions", type=int, default=8000, help="oldest sessions of the log to train on")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments)))
        return
    print("case                     threads  reference  faithful     x      fast     x  memory x")
    for case in CASES:
        for threads in arguments.threads:
            print(row(arguments, case, threads), flush=True)


def row(arguments: argparse.Namespace, case: str, threads: int) -> str:
    """One line of the table: events per second of each side, medians of turns."""
    sides = ("reference", "faithful", "fast")
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(arguments.repeats):
        for side in sides:
            found[side].append(child(arguments, case, side, threads))
    speed = {side: statistics.median(one["events_per_second"] for one in found[side]) for side in sides}
    memory = {side: statistics.median(one["peak_mb"] for one in found[side]) for side in sides}
    ratio = {side: speed[side] / speed["reference"] for side in sides}
    return (
        f"{case:<24}{threads:>8}{speed['reference']:>11,.0f}{speed['faithful']:>10,.0f}{ratio['faithful']:>6.1f}"
        f"{speed['fast']:>10,.0f}{ratio['fast']:>6.1f}{memory['faithful'] / memory['reference']:>10.2f}"
    )


def child(arguments: argparse.Namespace, case: str, side: str, threads: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training", str(arguments.log)]
    command += ["--reference", str(arguments.reference), "--sessions", str(arguments.sessions)]
    command += ["--threads", str(threads), "--side", side, "--case", case]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Train two epochs and report the second one's speed and the process's peak memory."""
    import torch

    torch.set_num_threads(arguments.threads[0])
    events = oldest_sessions(arguments.log, arguments.sessions)
    parameters = CASES[arguments.case] | {"n_epochs": 2}
    if arguments.side == "reference":
        speed = reference_speed(arguments.reference, events, parameters)
    else:
        speed = our_speed(events, parameters | {"steps_per_update": FAST if arguments.side == "fast" else 1})
    return {"events_per_second": speed, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def oldest_sessions(path: Path, count: int) -> pl.DataFrame:
    """The events of the first sessions with two events or more."""
    events = pl.read_parquet(path).sort("session_id", "timestamp", "item_id")
    events = events.filter(pl.len().over("session_id") > 1)
    kept = events["session_id"].unique(maintain_order=True)[:count]
    return events.filter(pl.col("session_id").is_in(kept.implode()))


def our_speed(events: pl.DataFrame, parameters: dict[str, Any]) -> float:
    """Events per second of the last epoch."""
    import recsys_gru as rg

    parameters = parameters | {"layers": tuple(parameters["layers"])}
    return rg.GRU4Rec(**parameters, device="cpu").fit(events).history_[-1].events_per_second


def reference_speed(checkout: Path, events: pl.DataFrame, parameters: dict[str, Any]) -> float:
    """Events per second of the last epoch, as the reference prints it."""
    import importlib

    import torch

    sys.path.insert(0, str(checkout))
    reference = importlib.import_module("gru4rec_pytorch")
    columns = {"session_id": "SessionId", "item_id": "ItemId", "timestamp": "Time"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        reference.GRU4Rec(**parameters, device=torch.device("cpu")).fit(events.rename(columns).to_pandas())
    return float(re.findall(r"\| (\d+) e/s", printed.getvalue())[-1])


if __name__ == "__main__":
    main()
