"""Training beside the published implementation: `python -m benchmarks.training LOG --reference CHECKOUT`.

Each side trains in a process of its own, by turns, on the same sessions with the same parameters and threads;
the table holds medians of events per second, the ratio, the share of the fastest library's product's speed
that the fast mode reaches (useful operations only), and peak memory. CHECKOUT is a clone of
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
import sys
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.side import run_side

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
FAST = {"steps_per_update": 3}
"""What makes the fast mode, all other parameters being those of the reference; `benchmarks.recall` shows what
it learns."""
Row = dict[str, Any]


def main() -> None:
    """Measure every case, or, as a child, one side of one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--sessions", type=int, default=8000, help="oldest sessions of the log to train on")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments)))
        return
    print("case                     threads  reference  faithful     x      fast     x  GEMM %  memory x")
    rows = [row(arguments, case, threads) for case in arguments.cases for threads in arguments.threads]
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def row(arguments: argparse.Namespace, case: str, threads: int) -> Row:
    """One line of the table: events per second of each side, medians of turns."""
    sides = ("reference", "faithful", "fast")
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(arguments.repeats):
        for side in sides:
            found[side].append(child(arguments, case, side, threads))
    made: Row = {"case": case, "threads": threads, "gemm_share": {}}
    for side in sides:
        made[side] = statistics.median(one["events_per_second"] for one in found[side])
        made[f"{side}_mb"] = statistics.median(one["peak_mb"] for one in found[side])
        if side != "reference":
            made["gemm_share"][side] = statistics.median(one["gemm_share"] for one in found[side])
    reference, faithful, fast = (made[side] for side in sides)
    print(
        f"{case:<24}{threads:>8}{reference:>11,.0f}{faithful:>10,.0f}{faithful / reference:>6.1f}"
        f"{fast:>10,.0f}"
        f"{fast / reference:>6.1f}{100 * made['gemm_share']['fast']:>8.0f}"
        f"{made['faithful_mb'] / made['reference_mb']:>10.2f}",
        flush=True,
    )
    return made


def child(arguments: argparse.Namespace, case: str, side: str, threads: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    words = ["--reference", arguments.reference, "--sessions", arguments.sessions, "--threads", threads]
    return run_side("training", arguments.log, *words, "--side", side, "--case", case)


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Train two epochs and report the second one's speed and the process's peak memory."""
    from benchmarks.products import use_threads

    use_threads(arguments.threads[0])
    events = oldest_sessions(arguments.log, arguments.sessions)
    parameters = CASES[arguments.case] | {"n_epochs": 2}
    if arguments.side == "reference":
        return {
            "events_per_second": reference_speed(arguments.reference, events, parameters),
            "peak_mb": peak_mb(),
        }
    parameters |= {"layers": tuple(parameters["layers"])} | (FAST if arguments.side == "fast" else {})
    speed = our_speed(events, parameters)
    peak = peak_mb()
    share = speed * flops_per_event(events, parameters) / gemm_speed()
    return {"events_per_second": speed, "peak_mb": peak, "gemm_share": share}


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def flops_per_event(events: pl.DataFrame, parameters: dict[str, Any]) -> float:
    """Multiplications and additions that an event needs: forward once, backward twice, no candidate scored
    twice."""
    import numpy as np
    import torch

    from recsys_gru.sessions import as_sessions
    from recsys_gru.training import Settings, TrainingData

    sessions, settings = as_sessions(events), Settings(**parameters)
    learner = settings.learner(sessions.vocabulary.support, settings.batch_size, torch.device("cpu"))
    data = TrainingData(sessions.items, sessions.offsets)
    windows = next(settings.lanes(data.offsets).stretches(settings.steps_per_update, 8))
    candidates = float(np.mean([rows.n_candidates for rows, _ in learner.plan(data, windows)]))
    (units,) = settings.layers
    return 3 * 2 * units * (candidates + 3 * 2 * units)


def gemm_speed(size: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations per second of one large product of single-precision matrices, by the
    fastest library."""
    import torch

    from benchmarks.products import PRODUCTS, seconds

    left, right = torch.randn(size, size), torch.randn(size, size)
    found = [seconds(partial(use, left, right)) for _ in range(repeats) for use in PRODUCTS]
    return 2 * size**3 / min(found)


def oldest_sessions(path: Path, count: int) -> pl.DataFrame:
    """The events of the first sessions with two events or more."""
    events = pl.read_parquet(path).sort("session_id", "timestamp", "item_id")
    events = events.filter(pl.len().over("session_id") > 1)
    kept = events["session_id"].unique(maintain_order=True)[:count]
    return events.filter(pl.col("session_id").is_in(kept.implode()))


def our_speed(events: pl.DataFrame, parameters: dict[str, Any]) -> float:
    """Events per second of the last epoch."""
    import recsys_gru as rg

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
