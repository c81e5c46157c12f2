"""Evaluation beside the published implementation: `python -m benchmarks.evaluation LOG --reference CHECKOUT`.

Full ranking of every event of the test days, in a process for each side, by turns; medians of events per
second and the ratio. Neither side's training is part of it: both models are as they begin, of equal shape,
for what was learned does not change the work. CHECKOUT as in `benchmarks.training`.
"""

import argparse
import contextlib
import io
import json
import resource
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import recsys_gru as rg
from benchmarks.side import run_side

if TYPE_CHECKING:
    import pandas as pd

UNITS = 100
SIDES = ("reference", "ours")


def main() -> None:
    """Measure both sides, or, as a child, one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--days", type=int, default=28, help="last days of the log to evaluate on")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments)))
        return
    print("threads   items  events  reference      ours     x  our memory MB above the model's")
    rows = [row(arguments, threads) for threads in arguments.threads]
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def row(arguments: argparse.Namespace, threads: int) -> dict[str, Any]:
    """One line of the table: events per second of each side, medians of turns."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(arguments.repeats):
        for side in SIDES:
            found[side].append(child(arguments, side, threads))
    speed = {side: statistics.median(one["events_per_second"] for one in found[side]) for side in SIDES}
    memory = statistics.median(one["added_mb"] for one in found["ours"])
    ours = found["ours"][0]
    print(
        f"{threads:>7}{ours['items']:>8,}{ours['events']:>8,}{speed['reference']:>11,.0f}{speed['ours']:>10,.0f}"
        f"{speed['ours'] / speed['reference']:>6.1f}{memory:>10.0f}",
        flush=True,
    )
    shape = {"items": ours["items"], "events": ours["events"]}
    return {"what": "evaluation", "threads": threads, **shape, **speed, "added_mb": memory}


def child(arguments: argparse.Namespace, side: str, threads: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    words = ["--reference", arguments.reference, "--days", arguments.days, "--threads", threads]
    return run_side("evaluation", arguments.log, *words, "--side", side)


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Prepare the log, evaluate on a few sessions to warm up, then on all with the clock running."""
    import torch

    torch.set_num_threads(arguments.threads[0])
    clicks = rg.check_clicks(rg.read_clicks(arguments.log)).clicks
    split = rg.split_by_time(clicks, test=timedelta(days=arguments.days))
    train = rg.Sessions.from_events(rg.filter_sessions(split.train, min_support=5, min_length=2))
    test = rg.Sessions.from_events(split.test, train.vocabulary)
    run = reference_side if arguments.side == "reference" else our_side
    return run(arguments.reference, train, test) | {"items": len(train.vocabulary)}


def our_side(_: Path, train: rg.Sessions, test: rg.Sessions) -> dict[str, float]:
    """Evaluation of a model that stopped before its first update."""
    import torch

    from recsys_gru.model.network import Network

    model = rg.GRU4Rec(layers=(UNITS,), device="cpu")
    model.vocabulary_ = train.vocabulary
    architecture = model.settings().architecture(len(train.vocabulary))
    model.network_ = Network(architecture, generator=torch.Generator().manual_seed(1))
    few = pl.DataFrame({"session_id": [0] * 3, "item_id": train.vocabulary.ids[:3]})
    rg.evaluate(model, few.with_columns(time=pl.datetime(2026, 1, 1, time_zone="UTC")))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    report = rg.evaluate(model, test)
    seconds = time.perf_counter() - began
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"events_per_second": report.events / seconds, "events": report.events, "added_mb": added / 1024}


def reference_side(checkout: Path, train: rg.Sessions, test: rg.Sessions) -> dict[str, float]:
    """The same with the published implementation."""
    import importlib

    import torch

    sys.path.insert(0, str(checkout))
    reference = importlib.import_module("gru4rec_pytorch")
    evaluation = importlib.import_module("evaluation")
    with contextlib.redirect_stdout(io.StringIO()):
        model = reference.GRU4Rec(layers=[UNITS], device=torch.device("cpu"), n_sample=0, n_epochs=0)
        model.fit(reference_frame(train))
        frame = reference_frame(test)
        began = time.perf_counter()
        evaluation.batch_eval(model, frame, cutoff=[5, 10, 20], batch_size=512)
        seconds = time.perf_counter() - began
    events = int((test.lengths - 1).clip(min=0).sum())
    return {"events_per_second": events / seconds, "events": events, "added_mb": 0.0}


def reference_frame(sessions: rg.Sessions) -> "pd.DataFrame":
    """Sessions of two known events or more, in the columns that the reference expects."""
    import pandas as pd

    owner = np.repeat(np.arange(sessions.n_sessions), sessions.lengths)
    frame = pd.DataFrame({"SessionId": owner, "ItemId": sessions.items, "Time": sessions.times})
    return frame[sessions.lengths[owner] > 1].reset_index(drop=True)


if __name__ == "__main__":
    main()
