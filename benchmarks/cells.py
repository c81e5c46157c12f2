"""GRU, LSTM or plain RNN? The same recommender with each cell on the newest clicks of real logs: `python -m
benchmarks.cells LOG... --out FILE`, and the processor's time of each by turns: `--speed LOG`.

For every seed, log and cell a line of JSON: recall and MRR of the test part after each epoch, with dropout
and without, recall on the sessions trained on, by position in the session, and by share of the training
sessions. All clicks count; nothing is chosen on the test part. The learning rate of each cell is chosen on a
validation part, with the same trials for all. Lines that are in the file already are not measured again.
`docs/notebooks/cells.md` draws the pictures.
"""

import argparse
import functools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import polars as pl
import torch

import recsys_gru as rg

CELLS = ("gru", "lstm", "rnn")
RATES = (0.05, 0.1, 0.2, 0.4)
SHARES = (0.1, 0.3)
SEEDS = (1, 2, 3, 4, 5)
EPOCHS, SEARCH_EPOCHS, TURNS, K = 10, 3, 5, 20
CLICKS, TESTED = 15_000, 5_000
BANDS = ("1", "2", "3", "4-5", "6-9", "10+")
BESIDE_THE_CELL = ("scale", "look_back", "repeats")
"""What of the recommended setting remembers the last clicks beside the cell, or was made for what does."""
SETTINGS: dict[str, Any] = {
    **{name: value for name, value in rg.RECOMMENDED.items() if name not in BESIDE_THE_CELL},
    "layers": (100,),
    "n_epochs": EPOCHS,
    "device": "cpu",
}
BARE = {"dropout_p_embed": 0.0, "dropout_p_hidden": 0.0}
SEPARATE_CALLS = {"grad_clip": 1e9}
"""Clips nothing, and keeps the GRU out of the compiled loop that the other cells do not have."""
Line = dict[str, Any]


def main() -> None:
    """Measure what the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", metavar="LOG", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/notebooks/cells.ndjson"))
    parser.add_argument("--speed", action="store_true", help="the processor's time alone, printed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.speed:
        for log in arguments.logs:
            print(json.dumps(speed(log)), flush=True)
        return
    lines = (
        [json.loads(line) for line in arguments.out.read_text().splitlines()]
        if arguments.out.exists()
        else []
    )
    for seed in SEEDS:
        for log in arguments.logs:
            for cell in CELLS:
                of_cell = [line for line in lines if (line["log"], line["cell"]) == (log.stem, cell)]
                if seed in [line["seed"] for line in of_cell]:
                    continue
                rate = of_cell[0]["learning_rate"] if of_cell else best_rate(log, cell)
                lines.append({"log": log.stem, "cell": cell, "seed": seed} | one_seed(log, cell, rate, seed))
                with arguments.out.open("a") as out:
                    out.write(json.dumps(lines[-1]) + "\n")


@functools.cache
def parts(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """For training the newest sessions, of about `CLICKS` clicks, before the test's, of `TESTED`."""
    events = rg.check_clicks(rg.read_clicks(path)).clicks.select("session_id", "item_id", "time").collect()
    begins = events.select(pl.col("time").min().over("session_id"))["time"].sort(descending=True)
    older, test = rg.split_at(events, begins[TESTED])
    newest = rg.Sessions.from_events(older).events().tail(CLICKS)
    return rg.filter_sessions(newest, min_support=1, min_length=2), test  # type: ignore[return-value]


def best_rate(path: Path, cell: str) -> float:
    """The learning rate with the best MRR of the newest tenth of the training sessions."""
    train = rg.Sessions.from_events(parts(path)[0])
    newest = last_sessions(train, train.n_sessions // 10)
    older = train.events().join(newest, on="session_id", how="anti")

    def mrr(rate: float) -> float:
        own = {"cell": cell, "learning_rate": rate, "n_epochs": SEARCH_EPOCHS, "seed": SEEDS[0]}
        return rg.evaluate(rg.GRU4Rec(**SETTINGS | own).fit(older), newest, (K,), unknown="miss").mrr[K]

    return max(RATES, key=mrr)


def one_seed(path: Path, cell: str, rate: float, seed: int) -> Line:
    """Train with one cell and take every figure of the study."""
    own = {"cell": cell, "learning_rate": rate, "seed": seed}
    events, tested = parts(path)
    train = rg.Sessions.from_events(events)
    test = rg.Sessions.from_events(tested, train.vocabulary)
    model = rg.GRU4Rec(**SETTINGS | own).fit(train, validation=test)
    bare = rg.GRU4Rec(**SETTINGS | own | BARE).fit(train, validation=test)
    report = rg.evaluate(model, test, (K,), unknown="miss")
    seen = last_sessions(train, 1_000)
    return {
        "learning_rate": rate,
        "sessions": train.n_sessions,
        "items": len(train.vocabulary.ids),
        "clicks": len(train.items),
        "tested": report.events,
        "parameters": sum(v.numel() for name, v in model.network_.parameters() if name.startswith("layers.")),
        "recall": curve(model, "recall"),
        "mrr": curve(model, "mrr"),
        "bare_recall": curve(bare, "recall"),
        "bare_mrr": curve(bare, "mrr"),
        "on_training": rounded(rg.evaluate(model, seen, (K,)).recall[K]),
        "bare_on_training": rounded(rg.evaluate(bare, seen, (K,)).recall[K]),
        "by_position": by_position(report),
        "by_share": [shared_recall(own, share, train, tested) for share in SHARES]
        + [rounded(report.recall[K])],
    }


def curve(model: rg.GRU4Rec, metric: str) -> list[float]:
    """A figure of the test part after each epoch."""
    return [rounded(epoch.metrics[f"{metric}_at_{K}"]) for epoch in model.history_]


def by_position(report: rg.Report) -> Line:
    """Recall and number of the known clicks that come after one, two, ... ten or more known clicks."""
    known = report.replay.filter(pl.col("source") == "model")
    place = pl.col("position")
    early = pl.when(place <= 3).then(place.cast(pl.String)).when(place <= 5).then(pl.lit("4-5"))
    band = early.when(place <= 9).then(pl.lit("6-9")).otherwise(pl.lit("10+"))
    found = known.group_by(band.alias("band")).agg((pl.col("rank") <= K).mean(), pl.len())
    return {
        band: [rounded(recall), clicks]
        for band, recall, clicks in sorted(found.rows(), key=lambda row: BANDS.index(row[0]))
    }


def shared_recall(own: Line, share: float, train: rg.Sessions, tested: pl.DataFrame) -> float:
    """Test recall after training on the newest share of the sessions."""
    model = rg.GRU4Rec(**SETTINGS | own).fit(last_sessions(train, int(share * train.n_sessions)))
    return rounded(rg.evaluate(model, tested, (K,), unknown="miss").recall[K])


def last_sessions(sessions: rg.Sessions, count: int) -> pl.DataFrame:
    """Events of the newest sessions that the model was trained on."""
    return sessions.events().filter(pl.col("session_id").is_in(sessions.ids[-count:].implode()))


def rounded(figure: float) -> float:
    """What is kept of a figure in the file."""
    return round(figure, 4)


def speed(path: Path) -> Line:
    """The processor's seconds of an epoch of each cell, by turns, and their ratios to the GRU's: medians."""
    train = rg.Sessions.from_events(parts(path)[0])
    ways = {(cell, "separate calls"): {"cell": cell} | SEPARATE_CALLS for cell in CELLS}
    ways["gru", "compiled loop"] = {"cell": "gru"}
    seconds: dict[str, list[float]] = {" in ".join(way): [] for way in ways}
    for turn in range(TURNS + 1):
        for way, own in ways.items():
            model = rg.GRU4Rec(**SETTINGS | own | {"n_epochs": 1})
            started = time.process_time()
            model.fit(train)
            if turn:  # the first one compiles
                seconds[" in ".join(way)].append(time.process_time() - started)
    usual = seconds["gru in separate calls"]
    return {
        "log": path.stem,
        "clicks": len(train.items),
        "seconds": {way: rounded(statistics.median(taken)) for way, taken in seconds.items()},
        "ratio": {
            way: rounded(statistics.median(one / gru for one, gru in zip(taken, usual, strict=True)))
            for way, taken in seconds.items()
        },
    }


if __name__ == "__main__":
    main()
