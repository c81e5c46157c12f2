"""GRU, LSTM or plain RNN? The same recommender with each cell, on real logs: `python -m benchmarks.cells
LOG... --out FOLDER`.

For every log and cell: parameters of the cell, seconds per epoch, epochs until 95 % of the best test
recall@20, the gap between training and test recall, recall by position and session length, and recall against
the share of training data. The learning rate of each cell is chosen on a validation part, with the same
trials for all. Writes cells.json and PNGs.
"""

import argparse
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import recsys_gru as rg

CELLS = ("gru", "lstm", "rnn")
RATES = (0.05, 0.1, 0.2)
SHARES = (0.1, 0.3, 1.0)
AXES = ("epoch", "position in the session (10: and later)", "share of training sessions, %")
EPOCHS, SEARCH_EPOCHS, K = 10, 3, 20
SETTINGS: dict[str, Any] = {
    "layers": (100,),
    "batch_size": 32,
    "logq": 1.0,
    "sample_alpha": 0.75,
    "dropout_p_embed": 0.1,
    "steps_per_update": 4,
    "device": "cpu",
}


def main() -> None:
    """Run the study on each log and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "logs", nargs="+", metavar="LOG=DAYS", help="a click log and the days of its test part"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for given in arguments.logs:
        path, _, days = given.partition("=")
        found[Path(path).stem] = study(Path(path), int(days or 1))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "cells.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, arguments.out)


def study(path: Path, days: int) -> dict[str, Any]:
    """Compare the cells on one log."""
    clicks = rg.check_clicks(rg.read_clicks(path)).clicks
    whole, test = rg.split_by_time(clicks, test=timedelta(days=days))
    filtered = rg.filter_sessions(whole, min_support=5, min_length=2)
    part, validation = rg.split_by_time(filtered, test=timedelta(days=days))
    train = rg.Sessions.from_events(filtered)
    part_packed = rg.Sessions.from_events(rg.filter_sessions(part, min_support=5, min_length=2))
    held_out = rg.Sessions.from_events(test, train.vocabulary)
    result: dict[str, Any] = {}
    for cell in CELLS:
        searched = {rate: searched_mrr(cell, rate, part_packed, validation) for rate in RATES}
        rate = max(searched, key=lambda tried: searched[tried])
        result[cell] = one_cell(cell, rate, train, held_out) | {"learning_rate": rate, "searched": searched}
        print(
            path.stem,
            cell,
            {k: v for k, v in result[cell].items() if not isinstance(v, list | dict)},
            flush=True,
        )
    return result


def searched_mrr(cell: str, rate: float, part: rg.Sessions, validation: pl.LazyFrame | pl.DataFrame) -> float:
    """Validation MRR after a few epochs at a learning rate."""
    model = rg.GRU4Rec(**SETTINGS, cell=cell, learning_rate=rate, n_epochs=SEARCH_EPOCHS).fit(part)
    return rg.evaluate(model, validation, (K,)).mrr[K]


def one_cell(cell: str, rate: float, train: rg.Sessions, test: rg.Sessions) -> dict[str, Any]:
    """Train with one cell and take every figure of the study."""
    model = rg.GRU4Rec(**SETTINGS, cell=cell, learning_rate=rate, n_epochs=EPOCHS).fit(train, validation=test)
    recall = [epoch.metrics[f"recall_at_{K}"] for epoch in model.history_]
    report = rg.evaluate(model, test, (K,))
    seen = rg.evaluate(model, first_sessions(train, 3000), (K,))
    sizes = test.lengths
    ranks = report.ranks.join(pl.DataFrame({"session_id": test.ids, "length": sizes}), on="session_id")
    return {
        "cell_parameters": sum(
            v.numel() for name, v in model.network_.parameters() if name.startswith("layers.")
        ),
        "seconds_per_epoch": float(np.median([epoch.seconds for epoch in model.history_])),
        "epochs_to_95_percent": 1 + int(np.argmax(np.array(recall) >= 0.95 * max(recall))),
        "recall": report.recall[K],
        "mrr": report.mrr[K],
        "recall_by_epoch": recall,
        "recall_on_training_sessions": seen.recall[K],
        "recall_by_position": recall_by(ranks, pl.col("position").clip(upper_bound=10)),
        "recall_by_length": recall_by(ranks, length_band()),
        "recall_by_share": {share: shared_recall(cell, rate, share, train, test) for share in SHARES},
    }


def recall_by(ranks: pl.DataFrame, group: pl.Expr) -> dict[str, tuple[float, int]]:
    """Recall and events of each group."""
    hits = (pl.col("rank") <= K).mean().alias("recall")
    table = ranks.group_by(group.alias("group")).agg(hits, pl.len()).sort("group")
    return {str(name): (recall, events) for name, recall, events in table.rows()}


def length_band() -> pl.Expr:
    """Name the band of a session's length."""
    length = pl.col("length")
    short = pl.when(length <= 3).then(pl.lit("02-03")).when(length <= 6).then(pl.lit("04-06"))
    return short.when(length <= 12).then(pl.lit("07-12")).otherwise(pl.lit("13 and more"))


def shared_recall(cell: str, rate: float, share: float, train: rg.Sessions, test: rg.Sessions) -> float:
    """Test recall after training on the newest share of the sessions; unknown items count as misses."""
    first = int((1 - share) * train.n_sessions)
    kept = train.events().filter(pl.col("session_id").is_in(train.ids[first:].implode()))
    model = rg.GRU4Rec(**SETTINGS, cell=cell, learning_rate=rate, n_epochs=EPOCHS).fit(kept)
    return rg.evaluate(model, test.events(), (K,), unknown="miss").recall[K]


def first_sessions(sessions: rg.Sessions, count: int) -> pl.DataFrame:
    """Events of the newest sessions that the model was trained on."""
    return sessions.events().filter(pl.col("session_id").is_in(sessions.ids[-count:].implode()))


def draw(found: dict[str, Any], out: Path) -> None:
    """One row of plots per log: by epoch, by position, by share of the data."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"gru": "#0b6e4f", "lstm": "#c84c09", "rnn": "#5b5b8c"}
    figure, axes = plt.subplots(
        len(found), 3, figsize=(12, 3.6 * len(found)), squeeze=False, layout="constrained"
    )
    for row, (log, cells) in zip(axes, found.items(), strict=True):
        for cell, facts in cells.items():
            style = {"label": cell.upper(), "color": colours[cell], "marker": "o", "markersize": 3}
            row[0].plot(range(1, EPOCHS + 1), facts["recall_by_epoch"], **style)
            positions = facts["recall_by_position"]
            row[1].plot(
                [int(place) for place in positions], [recall for recall, _ in positions.values()], **style
            )
            shares = facts["recall_by_share"]
            row[2].plot([100 * float(share) for share in shares], list(shares.values()), **style)
        for axis, name in zip(row, AXES, strict=True):
            axis.set(xlabel=name, ylabel=f"recall@{K}", title=log)
            axis.grid(alpha=0.25)
        row[0].legend(frameon=False)
    figure.savefig(out / "cells.png", dpi=110)


if __name__ == "__main__":
    main()
