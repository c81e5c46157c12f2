"""Answers beside what the machine could do at best: `python -m benchmarks.recommend [--json FILE]`.

One session: milliseconds of `recommend_one`, median and 99th percentile, against reading the item table once
from memory. That time is the table's size over the speed of the fastest read found, a sum over a table that
no cache holds; single reads and answers come by turns. Many sessions: floating-point operations per second
of `recommend`, scores alone counted, against a bare product of the same matrices by the fastest library at
its best tile, medians of turns. The weights are drawn at random: the time does not depend on what was
learned.
"""

import argparse
import itertools
import json
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import recsys_gru as rg
from benchmarks.products import PRODUCTS, REST, Product, seconds, use_threads
from recsys_gru.model.network import Network

UNITS, LENGTH, SEED = 100, 5, 1
BATCH_ITEMS = 50_000
BATCHES = 9
TILES = [(rows, width) for rows in (256, 512, 1024) for width in (1024, 2048, 4096)]
Row = dict[str, Any]


def main() -> None:
    """Print both tables; write their rows as JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, nargs="+", default=[50_000, 500_000])
    parser.add_argument("--repeats", type=int, default=1000, help="answers to one session")
    parser.add_argument("--sessions", type=int, default=4096, help="sessions of a batch")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of a batch")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print("one session       read ms    p50 ms      x    p99 ms      x")
    rows = [one_session(items, options.repeats) for items in options.items]
    print("many sessions     GEMM GFLOP/s   ours  share")
    rows += [many_sessions(options.sessions, threads) for threads in options.threads]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def drawn_model(items: int) -> rg.GRU4Rec:
    """A model of a catalogue of any size, as if it had been loaded."""
    model, generator = rg.GRU4Rec(layers=(UNITS,), device="cpu"), torch.Generator().manual_seed(SEED)
    model.vocabulary_ = rg.Vocabulary(pl.Series(np.arange(items)), np.ones(items, dtype=np.int64))
    model.network_ = Network(model.settings().architecture(items), generator=generator)
    for values in model.network_.tables.values():
        values.normal_(0, 0.3, generator=generator)
    return model


def one_session(items: int, repeats: int) -> Row:
    """A line of the first table, on one thread."""
    torch.set_num_threads(1)
    model, generator = drawn_model(items), np.random.default_rng(SEED)
    clicks = [generator.integers(0, items, LENGTH).tolist() for _ in range(repeats + 10)]
    large = torch.ones(64_000_000)  # 256 MB
    answers, reads = [], []
    for click in clicks:
        answers.append(seconds(lambda click=click: model.recommend_one(click)))  # type: ignore[misc]
        if len(answers) % 3 == 0:
            reads.append(seconds(large.sum))
            model.recommend_one(click)  # an answer in use has not just had its caches emptied
    read = 1e3 * min(reads) * items * UNITS / len(large)
    p50, p99 = (1e3 * float(np.percentile(answers[10:], at)) for at in (50, 99))
    print(f"{items:>9,} items{read:>10.2f}{p50:>10.2f}{p50 / read:>7.2f}{p99:>10.2f}{p99 / read:>7.2f}")
    return {"what": "one session", "items": items, "read_ms": read, "p50_ms": p50, "p99_ms": p99}


def many_sessions(count: int, threads: int) -> Row:
    """A line of the second table."""
    use_threads(threads)
    model, generator = drawn_model(BATCH_ITEMS), np.random.default_rng(SEED)
    frame = pl.DataFrame(
        {
            "session_id": np.repeat(np.arange(count), LENGTH),
            "item_id": generator.integers(0, BATCH_ITEMS, count * LENGTH),
            "time": pl.Series(np.arange(count * LENGTH) * 1_000_000).cast(pl.Datetime("us", "UTC")),
        }
    )
    sessions = rg.Sessions.from_events(frame, model.vocabulary_)
    table, hidden = model.network_.tables["output"], torch.rand(count, UNITS)
    work = 2e-9 * count * BATCH_ITEMS * UNITS
    bare: dict[tuple[Product, tuple[int, int]], list[float]] = {
        one: [] for one in itertools.product(PRODUCTS, TILES)
    }
    ours = []
    model.recommend(sessions)
    for _ in range(BATCHES):
        for (multiply, tile), found in bare.items():
            found.append(seconds(partial(tiled, multiply, hidden, table, *tile)))
        time.sleep(REST)
        ours.append(seconds(lambda: model.recommend(sessions)))
    gemm, reached = work / min(map(statistics.median, bare.values())), work / statistics.median(ours)
    print(f"{threads:>4} threads{gemm:>18.0f}{reached:>11.0f}{reached / gemm:>7.0%}")
    return {"what": "many sessions", "threads": threads, "gemm_gflops": gemm, "gflops": reached}


def tiled(multiply: Product, hidden: torch.Tensor, table: torch.Tensor, rows: int, width: int) -> None:
    """Every score once, in tiles of one shape, kept nowhere."""
    for part in torch.split(hidden, rows):
        for items in torch.split(table, width):
            multiply(part, items.T)


if __name__ == "__main__":
    main()
