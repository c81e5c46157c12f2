"""GRU, LSTM or plain RNN? The same recommender with each cell, on real logs: `python -m benchmarks.cells
LOG=DAYS... --out FOLDER`.

For every log and cell, over five seeds: parameters of the cell, seconds per epoch, recall and MRR after as
many epochs as are recommended and after ten, recall on the sessions trained on, by position and session
length, and against the share of training data. All clicks count; nothing is chosen on the test part. The
learning rate of each cell is chosen on a validation part, with the same trials for all. Writes cells.json,
cells.md and cells.png.
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
USUAL = rg.RECOMMENDED["n_epochs"]
SEEDS = (1, 2, 3, 4, 5)
SETTINGS: dict[str, Any] = {**rg.RECOMMENDED, "layers": (100,), "n_epochs": EPOCHS, "device": "cpu"}
Facts = dict[str, Any]


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
    (arguments.out / "cells.md").write_text(markdown(found))
    draw(found, arguments.out)


def study(path: Path, days: int) -> dict[str, Facts]:
    """Compare the cells on one log."""
    clicks = rg.check_clicks(rg.read_clicks(path)).clicks
    whole, test = rg.split_by_time(clicks, test=timedelta(days=days))
    part, validation = rg.split_by_time(whole, test=timedelta(days=days))
    train, part_packed = (
        rg.Sessions.from_events(rg.filter_sessions(events, min_support=1, min_length=2))
        for events in (whole, part)
    )
    held_out = rg.Sessions.from_events(test, train.vocabulary)
    result: dict[str, Facts] = {}
    for cell in CELLS:
        searched = {rate: searched_mrr(cell, rate, part_packed, validation) for rate in RATES}
        rate = max(searched, key=lambda tried: searched[tried])
        seeds = [one_seed(cell, rate, seed, train, held_out) for seed in SEEDS]
        result[cell] = together(seeds) | {"learning_rate": rate, "searched": searched}
        print(path.stem, cell, result[cell], flush=True)
    return result


def searched_mrr(cell: str, rate: float, part: rg.Sessions, validation: pl.LazyFrame | pl.DataFrame) -> float:
    """Validation MRR after a few epochs at a learning rate."""
    own = {"cell": cell, "learning_rate": rate, "n_epochs": SEARCH_EPOCHS}
    return rg.evaluate(rg.GRU4Rec(**SETTINGS | own).fit(part), validation, (K,), unknown="miss").mrr[K]


def one_seed(cell: str, rate: float, seed: int, train: rg.Sessions, test: rg.Sessions) -> Facts:
    """Train with one cell and take every figure of the study."""
    own = {"cell": cell, "learning_rate": rate, "seed": seed}
    model = rg.GRU4Rec(**SETTINGS | own).fit(train, validation=test)
    report = rg.evaluate(model, test, (K,), unknown="miss")
    lengths = pl.DataFrame({"session_id": test.ids, "length": test.lengths})
    known = report.replay.filter(pl.col("source") == "model").join(lengths, on="session_id")
    return {
        "cell_parameters": sum(
            v.numel() for name, v in model.network_.parameters() if name.startswith("layers.")
        ),
        "seconds_per_epoch": float(np.median([epoch.seconds for epoch in model.history_])),
        "recall": [epoch.metrics[f"recall_at_{K}"] for epoch in model.history_],
        "mrr": [epoch.metrics[f"mrr_at_{K}"] for epoch in model.history_],
        "on_training_sessions": rg.evaluate(model, last_sessions(train, 3000), (K,)).recall[K],
        "by_position": recall_by(known, pl.col("position").clip(upper_bound=10)),
        "by_length": recall_by(known, length_band()),
        "by_share": {str(share): shared_recall(own, share, train, test) for share in SHARES[:-1]}
        | {str(SHARES[-1]): report.recall[K]},
    }


def together(seeds: list[Facts]) -> Facts:
    """Means over the seeds, and of the headline figures their spread (standard deviation)."""

    def mean(values: list[Any]) -> Any:  # noqa: ANN401 - numbers, lists or dicts of them
        if isinstance(values[0], dict):
            return {key: mean([value[key] for value in values]) for key in values[0]}
        return np.mean(values, axis=0).tolist()

    spread = {
        f"{name}_spread": np.std([seed[name] for seed in seeds], axis=0, ddof=1).tolist()
        for name in ("recall", "mrr")
    }
    return {name: mean([seed[name] for seed in seeds]) for name in seeds[0]} | spread


def recall_by(ranks: pl.DataFrame, group: pl.Expr) -> dict[str, float]:
    """Recall of each group of known clicks."""
    table = (
        ranks.group_by(group.alias("group")).agg((pl.col("rank") <= K).mean().alias("recall")).sort("group")
    )
    return {str(name): recall for name, recall in table.rows()}


def length_band() -> pl.Expr:
    """Name the band of a session's length."""
    length = pl.col("length")
    short = pl.when(length <= 3).then(pl.lit("02-03")).when(length <= 6).then(pl.lit("04-06"))
    return short.when(length <= 12).then(pl.lit("07-12")).otherwise(pl.lit("13 and more"))


def shared_recall(own: Facts, share: float, train: rg.Sessions, test: rg.Sessions) -> float:
    """Test recall after training on the newest share of the sessions."""
    model = rg.GRU4Rec(**SETTINGS | own).fit(last_sessions(train, int(share * train.n_sessions)))
    return rg.evaluate(model, test.events(), (K,), unknown="miss").recall[K]


def last_sessions(sessions: rg.Sessions, count: int) -> pl.DataFrame:
    """Events of the newest sessions that the model was trained on."""
    return sessions.events().filter(pl.col("session_id").is_in(sessions.ids[-count:].implode()))


def markdown(found: dict[str, dict[str, Facts]]) -> str:
    """The tables of docs/cells.md."""
    lines = [
        "| log | cell | parameters of the cell | seconds per epoch | learning rate | "
        f"recall@{K} after {USUAL} epochs | MRR@{K} | recall@{K} after {EPOCHS} | on its training sessions |",
        "|---" * 9 + "|",
    ]
    for log, cells in found.items():
        for cell, facts in cells.items():
            figures = [
                f"{facts[name][USUAL - 1]:.4f} ± {facts[f'{name}_spread'][USUAL - 1]:.4f}"
                for name in ("recall", "mrr")
            ]
            last = f"{facts['recall'][-1]:.4f} ± {facts['recall_spread'][-1]:.4f}"
            cost = [
                f"{facts['cell_parameters']:,.0f}",
                f"{facts['seconds_per_epoch']:.2f}",
                facts["learning_rate"],
            ]
            cells_of = [log, cell.upper(), *cost, *figures, last, f"{facts['on_training_sessions']:.3f}"]
            lines.append(f"| {' | '.join(map(str, cells_of))} |")
    for name in ("by_length", "by_share"):
        for log, cells in found.items():
            groups = list(next(iter(cells.values()))[name])
            lines += [
                "",
                f"| {log}, {name.replace('_', ' ')} | {' | '.join(groups)} |",
                "|---" * (len(groups) + 1) + "|",
            ]
            lines += [
                f"| {cell.upper()} | {' | '.join(f'{facts[name][group]:.3f}' for group in groups)} |"
                for cell, facts in cells.items()
            ]
    return "\n".join(lines) + "\n"


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
            row[0].plot(range(1, EPOCHS + 1), facts["recall"], **style)
            for axis, name, scale in ((row[1], "by_position", 1), (row[2], "by_share", 100)):
                values = facts[name]
                axis.plot([scale * float(place) for place in values], list(values.values()), **style)
        for axis, name in zip(row, AXES, strict=True):
            axis.set(xlabel=name, ylabel=f"recall@{K}", title=log)
            axis.grid(alpha=0.25)
        row[0].legend(frameon=False)
    figure.savefig(out / "cells.png", dpi=110)


if __name__ == "__main__":
    main()
