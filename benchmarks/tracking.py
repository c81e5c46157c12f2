"""What tracking costs a training: `python -m benchmarks.tracking [--repeats 5] [--epochs 5]`.

A fit on the made-up log is timed without tracking, and what it announced is then told to tracked runs in an
SQLite store, without training: opening, every epoch, the page of the fit, the saved model, waiting until all
is sent; the report page of an evaluation is no part of it. Seconds are those of the processor, of all
threads, so that other work on the machine counts little; the difference of whole fits would drown in their
spread. MLflow is loaded, and the store made, before.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import recsys_gru as rg
from recsys_gru import RECOMMENDED
from recsys_gru.observers import Event, listening


def main() -> None:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    parameters: dict[str, Any] = {**RECOMMENDED, "n_epochs": options.epochs}
    train = rg.Sessions.from_events(rg.generate_clicks())
    rg.GRU4Rec(n_epochs=1).fit(train)
    announced: list[Event] = []
    with listening(announced.append):
        began = time.process_time()
        rg.GRU4Rec(**parameters).fit(train)
        fit = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "mlruns"
        tell(store, announced)
        costs = [tell(store, announced) for _ in range(options.repeats)]
    cost = statistics.median(costs)
    print(
        f"{train.n_events:,} events, {options.epochs} epochs: {fit:.2f} s of the processor to fit; tracking "
        f"{cost:.3f} s more, median of {options.repeats} "
        f"({min(costs):.3f} to {max(costs):.3f}): {cost / fit:.1%}"
    )


def tell(store: Path, announced: list[Event]) -> float:
    """Processor seconds of a tracked block that hears what a fit announced."""
    began = time.process_time()
    with rg.tracking.run(store, name="cost") as tracker:
        for event in announced:
            tracker.hear(event)
    return time.process_time() - began


if __name__ == "__main__":
    main()
