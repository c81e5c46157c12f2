"""What the fast mode learns beside the published implementation: `python -m benchmarks.recall FOLDER
--reference CHECKOUT`.

On bolcom and retailrocket, cross-entropy, 100 units, 32 lanes, equal epochs: recall@20 and MRR@20 on the
last sessions of each log. The sides take turns, seed by seed, one thread each. The reference is scored by its
own evaluation (conservative ranks), ours by `evaluate`; both rank the same events over the same items. What
makes the fast mode was chosen on earlier sessions of both logs (docs/log.md).
"""

import argparse
import contextlib
import importlib
import io
import json
import multiprocessing
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import torch

import recsys_gru as rg
from benchmarks.training import CASES, FAST

Row = dict[str, Any]
LOGS = {"bolcom": 0.1, "retailrocket": 0.036}
"""Share of the sessions, the youngest, that is the test part."""
SIDES = ("reference", "faithful", "fast")


def main() -> None:
    """Print a line per log and side; write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--logs", nargs="+", choices=LOGS, default=list(LOGS))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--part", choices=("test", "validation"), default="test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    turns = [(log, side, seed) for log in options.logs for seed in options.seeds for side in options.sides]
    with multiprocessing.get_context("spawn").Pool(options.processes, maxtasksperchild=1) as pool:
        found = [told(one) for one in pool.imap(partial(learned, options), turns)]
    rows: list[Row] = []
    print("log           side           recall@20            MRR@20   events  seeds")
    for log, side in ((log, side) for log in options.logs for side in options.sides):
        rows.append(summary(log, side, [one for one in found if (one["log"], one["side"]) == (log, side)]))
        print(line(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def told(one: Row) -> Row:
    """Print what a turn found, and return it."""
    print(
        f"{one['log']:<14}{one['side']:<10}{one['seed']:>3}{one['recall']:>9.4f}{one['mrr']:>8.4f}",
        flush=True,
    )
    return one


def summary(log: str, side: str, seeds: list[Row]) -> Row:
    """Means over the seeds, and their standard errors."""
    row: Row = {"log": log, "side": side, "events": seeds[0]["events"], "seeds": seeds}
    for name in ("recall", "mrr"):
        values = [one[name] for one in seeds]
        row[name] = statistics.fmean(values)
        row[f"{name}_error"] = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return row


def line(row: Row) -> str:
    """A row as it is printed."""
    figures = "".join(f"{row[name]:>10.4f} ± {row[f'{name}_error']:.4f}" for name in ("recall", "mrr"))
    return f"{row['log']:<14}{row['side']:<10}{figures}{row['events']:>9,}{len(row['seeds']):>7}"


def split(path: Path, share: float, *, validation: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sessions in order of their start, the last `share` of them apart; items of five clicks or more, both
    parts."""
    log = pl.read_parquet(path)
    order = (
        log.group_by("session_id")
        .agg(pl.col("timestamp").min())
        .sort("timestamp", "session_id")["session_id"]
    )
    if validation:
        order = order[: round(len(order) * (1 - share))]
    cut = round(len(order) * (1 - share))
    old, new = order[:cut].implode(), order[cut:].implode()
    log = log.select("session_id", "item_id", time=pl.from_epoch("timestamp").dt.replace_time_zone("UTC"))
    train = rg.filter_sessions(log.filter(pl.col("session_id").is_in(old)), min_support=5, min_length=2)
    train = train.lazy().collect()
    test = log.filter(
        pl.col("session_id").is_in(new), pl.col("item_id").is_in(train["item_id"].unique().implode())
    )
    return train, test.filter(pl.len().over("session_id") > 1)


def learned(options: argparse.Namespace, turn: tuple[str, str, int]) -> Row:
    """Recall and MRR of a log, side and seed (the reference draws from torch's global generator)."""
    log, side, seed = turn
    torch.set_num_threads(1)
    train, test = split(options.folder / f"{log}.parquet", LOGS[log], validation=options.part == "validation")
    parameters = CASES["cross-entropy 100/32"] | {"n_epochs": options.epochs}
    if side == "reference":
        torch.manual_seed(seed)
        recall, mrr = reference_figures(options.reference, train, test, parameters)
    else:
        parameters |= {"layers": tuple(parameters["layers"]), "seed": seed}
        parameters |= FAST if side == "fast" else {}
        report = rg.evaluate(rg.GRU4Rec(**parameters, device="cpu").fit(train), test)
        recall, mrr = report.recall[20], report.mrr[20]
    events = len(test) - test["session_id"].n_unique()
    return {"log": log, "side": side, "seed": seed, "recall": recall, "mrr": mrr, "events": events}


def reference_figures(
    checkout: Path, train: pl.DataFrame, test: pl.DataFrame, parameters: Row
) -> tuple[float, float]:
    """Train and score the published implementation."""
    sys.path.insert(0, str(checkout))
    reference, evaluation = importlib.import_module("gru4rec_pytorch"), importlib.import_module("evaluation")
    columns = {"session_id": "SessionId", "item_id": "ItemId", "time": "Time"}
    with contextlib.redirect_stdout(io.StringIO()):
        model = reference.GRU4Rec(**parameters, device=torch.device("cpu"))
        model.fit(train.sort("session_id", "time", "item_id").rename(columns).to_pandas())
        recall, mrr = evaluation.batch_eval(model, test.rename(columns).to_pandas(), cutoff=[20])
    return float(recall[20]), float(mrr[20])


if __name__ == "__main__":
    main()
