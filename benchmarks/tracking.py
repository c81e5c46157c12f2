"""What tracking costs a training: `python -m benchmarks.tracking [--repeats 3] [--epochs 5]`.

The same fit on the made-up log with and without a run in a fresh SQLite store, by turns. Seconds are those
of the processor, of all threads of this process, so that other work on the machine does not count; of the
tracked fit the whole block counts: opening, every epoch, the saved model, waiting until all is sent. MLflow
is loaded, and the store made, before.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

import recsys_gru as rg
from recsys_gru.cli.comparing import DEMO


def main() -> None:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train = rg.Sessions.from_events(rg.generate_clicks())
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "mlruns"
        for tracked in (False, True):
            seconds(train, 1, run(store, tracked))
        plain, kept = [], []
        for _ in range(options.repeats):
            plain.append(seconds(train, options.epochs, run(store, tracked=False)))
            kept.append(seconds(train, options.epochs, run(store, tracked=True)))
    alone, both = statistics.median(plain), statistics.median(kept)
    print(
        f"{train.n_events:,} events, {options.epochs} epochs, median of {options.repeats}: "
        f"{alone:.2f} s of the processor without tracking ({min(plain):.2f} to {max(plain):.2f}), "
        f"{both:.2f} s with it ({min(kept):.2f} to {max(kept):.2f}): {(both - alone) / alone:+.1%}"
    )


def run(store: Path, tracked: bool) -> AbstractContextManager[object]:
    """A tracked block, or one that does nothing."""
    return rg.tracking.run(store, name="cost") if tracked else nullcontext()


def seconds(train: rg.Sessions, epochs: int, block: AbstractContextManager[object]) -> float:
    """Processor seconds of a fit inside the block."""
    parameters = {**DEMO, "n_epochs": epochs}
    began = time.process_time()
    with block:
        rg.GRU4Rec(**parameters).fit(train)
    return time.process_time() - began


if __name__ == "__main__":
    main()
