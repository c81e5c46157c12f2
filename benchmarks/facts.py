"""What facts are worth on items that nobody has clicked: `python -m benchmarks.facts [FOLDER] [--seeds 1]`.

Made up: `rg.generate_catalogue`, its last day tested, recall@20 of clicks on items that no earlier click is
on, beside what its law allows. With FOLDER also movies.parquet and movies_items.parquet, the last 30 days
tested: a tenth of the items, drawn by the seed, is taken out of training; recall@50 of clicks on items that
training has no click on, beside popularity of facts alone, which scores every item of the catalogue, clicked
or not, by its facts and nothing else, in three ways.

What they cost, `python -m benchmarks.facts --price LOG [--turns 5]`: an epoch of a log without
facts and with five made-up columns, two of labels, two of numbers and a list of three tags, by turns; the
first turn is left out.
"""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

import recsys_gru as rg
from recsys_gru.recommender.catalogue import Known, with_items
from recsys_gru.sessions import as_sessions

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
SETTINGS: dict[str, dict[str, Any]] = {
    "made up": {**rg.RECOMMENDED, "device": "cpu", "seed": 1},
    "movies": {**rg.RECOMMENDED, "dropout_p_own": 0.5, "device": "cpu", "seed": 1},
}
BOOSTS = {"made up": (0.0,), "movies": (0.0, 0.5, 0.7, 1.0)}
"""Values of `boost_new`."""
DAYS, MOVIE_DAYS = 10, timedelta(days=30)
TAKEN_OUT = 10
PENALTIES = (1.0, 10.0, 100.0)
PRICED: dict[str, dict[str, Any]] = {
    "64 lanes": {"batch_size": 64},
    "128 lanes": {"batch_size": 128},
    "recommended": {**rg.RECOMMENDED, "boost_new": None},
    "64 lanes, 256 units": {"batch_size": 64, "layers": (256,)},
    "64 lanes, BPR-max": {"batch_size": 64, "loss": "bpr-max"},
    "64 lanes, separate": {"batch_size": 64, "constrained_embedding": False, "embedding": 100},
    "64 lanes, one-hot": {"batch_size": 64, "constrained_embedding": False},
}
NEVER = "clicks on never-seen items"


class Parts(NamedTuple):
    """What is learned from, what is tested on, and the facts."""

    train: pl.DataFrame
    test: pl.DataFrame
    items: pl.DataFrame


def main() -> None:
    """Print a line for each seed, log and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--price", type=Path, metavar="LOG")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--settings", nargs="+", choices=PRICED, default=list(PRICED))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.price:
        price(options.price, options.turns, options.settings)
        return
    print(f"{'log':<10}{'seed':>5}  {'way':<30}{'clicks':>8}{'never seen':>12}{'all':>8}")
    for seed in options.seeds:
        made = rg.generate_catalogue(days=DAYS, seed=seed)
        parts = parted(made.clicks, made.items, timedelta(days=1))
        new = made.items["item_id"].filter(~made.items["item_id"].is_in(parts.train["item_id"].implode()))
        best = made.law.best_recall(parts.test, new, k=20, day=DAYS - 1)
        shown("made up", seed, parts, k=20, beside={"what the law allows": best})
    for seed in options.seeds if options.folder else ():
        parts = movies(options.folder, seed)
        shown("movies", seed, parts, k=50, beside=popularity_of_facts(parts, 50))


def price(log: Path, turns: int, settings: list[str]) -> None:
    """Print a line for each setting: seconds of an epoch, and the median of the turns' ratios."""
    clicks = rg.check_clicks(rg.read_clicks(log)).clicks
    train = rg.Sessions.from_events(rg.filter_sessions(clicks, min_support=1, min_length=2))
    items = five_columns(train.vocabulary.ids)
    seconds = np.empty((len(settings), 2, turns + 1))
    for turn in range(turns + 1):
        for i, name in enumerate(settings):
            for known, facts in enumerate((None, items)):
                model = rg.GRU4Rec(**{**PRICED[name], "device": "cpu", "n_epochs": 1}).fit(train, items=facts)
                seconds[i, known, turn] = model.history_[0].seconds
    print(f"{'setting':<22}{'without':>9}{'with':>9}{'ratio':>7}  ratios by turns")
    for name, (without, with_facts) in zip(settings, seconds[:, :, 1:], strict=True):
        ratios = with_facts / without
        shown = f"{np.median(without):>9.2f}{np.median(with_facts):>9.2f}{np.median(ratios):>7.2f}"
        print(f"{name:<22}{shown}  {' '.join(f'{ratio:.2f}' for ratio in ratios)}")


def five_columns(ids: pl.Series) -> pl.DataFrame:
    """Facts drawn at random: 1,500 labels, two numbers."""
    rng, n = np.random.default_rng(1), len(ids)
    columns: dict[str, Any] = {"item_id": ids}
    for name, count in {"category": 200, "brand": 1000}.items():
        columns[name] = [f"{name} {label}" for label in rng.integers(0, count, n)]
    columns |= {name: rng.normal(size=n) for name in ("price", "size")}
    columns["tags"] = [[f"tag {label}" for label in row] for row in rng.integers(0, 300, (n, 3))]
    return pl.DataFrame(columns)


def parted(clicks: pl.DataFrame, items: pl.DataFrame, days: timedelta) -> Parts:
    """The parts of a log, cut by time."""
    train, test = (part.lazy().collect() for part in rg.split_by_time(clicks, test=days))
    return Parts(train, test, items)


def movies(folder: Path, seed: int) -> Parts:
    """The movies without the clicks of training on a tenth of the items."""
    checked = rg.check_clicks(rg.read_clicks(folder / "movies.parquet")).clicks.collect()
    parts = parted(checked, pl.read_parquet(folder / "movies_items.parquet"), MOVIE_DAYS)
    ids = checked["item_id"].unique().sort().to_numpy()
    out = np.random.default_rng(seed).choice(ids, len(ids) // TAKEN_OUT, replace=False)
    return parts._replace(train=parts.train.filter(~pl.col("item_id").is_in(out.tolist())))


def shown(log: str, seed: int, parts: Parts, k: int, beside: dict[str, float]) -> None:
    """Fit without facts, with them and with facts of other items; print what came of it, new items boosted
    too."""
    for way, recall in beside.items():
        print(f"{log:<10}{seed:>5}  {way:<30}{'':>8}{recall:>12.4f}", flush=True)
    facts = {"no facts": None, "facts": parts.items, "facts shuffled": rg.shuffle_facts(parts.items, seed)}
    for way, items in facts.items():
        model = rg.GRU4Rec(**SETTINGS[log]).fit(parts.train, items=items)
        for boost in BOOSTS[log] if items is not None else (0.0,):
            boosted(model, boost)
            report = rg.evaluate(model, parts.test, (k,), unknown="miss")
            never = report.views(never=True).filter(view=NEVER).row(0, named=True)
            found = f"{never['events']:>8}{never['recall']:>12.4f}{report.recall[k]:>8.4f}"
            print(f"{log:<10}{seed:>5}  {f'{way}, boost_new={boost}':<30}{found}", flush=True)


def boosted(model: rg.GRU4Rec, boost: float) -> None:
    """Give items without a click the bias that this `boost_new` would have: it changes nothing else."""
    network, new = model.network_, torch.from_numpy(model.vocabulary_.support == 0)
    with network.copies.changing():
        network.tables["bias"][new] = network.level + boost


def popularity_of_facts(parts: Parts, k: int) -> dict[str, float]:
    """Recall@k, over the clicks on items that training has no click on, of popularity that facts tell.

    *Clicks of labels*: an item's score is the sum, over its labels, bands and words, of all training clicks
    on items that have them. *Mean of labels*: the mean, over its labels and bands (words left out, which
    mostly one item has), of the clicks of an average item of training with that label. *Foretold*: the
    clicks that ridge regression gives it from all of its labels, words and numbers, learned from the items
    with clicks, with the penalty of `PENALTIES` that does best on the very clicks that are tested.
    """
    replay = rg.evaluate(rg.Popularity().fit(parts.train), parts.test, (k,), unknown="miss").replay
    sessions, known = with_items(as_sessions(parts.train), parts.items)
    support, (labels, numbers) = sessions.vocabulary.support, tables_of(known)
    targets = sessions.vocabulary.numbers(replay.filter(support=0)["item_id"]).astype(np.int64)
    table = np.hstack([labels, numbers])
    ridge = max(recall_of(foretold(table, support, penalty), targets, k) for penalty in PENALTIES)
    sums = (labels > 0) @ ((labels > 0).T @ support)
    words = [name for name, kind in known.encoding.kinds.items() if kind == "words"]
    has = tables_of(with_items(as_sessions(parts.train), parts.items.drop(words))[1])[0] > 0
    clicks = has.T @ support / np.maximum(has[support > 0].sum(axis=0), 1)
    means = has @ clicks / np.maximum(has.sum(axis=1), 1)
    found = {"clicks of labels": sums, "mean of labels": means}
    told = {f"popularity: {name}": recall_of(scores, targets, k) for name, scores in found.items()}
    return told | {"popularity: foretold": ridge}


def tables_of(known: Known) -> tuple[Floats, Floats]:
    """Labels (N, L) and numbers (N, V) of all items."""
    facts = known.facts
    labels = np.zeros((len(facts.numbers), known.encoding.n_labels))
    labels[np.repeat(np.arange(len(labels)), np.diff(facts.offsets)), facts.labels] = facts.weights
    return labels, facts.numbers.astype(np.float64)


def foretold(table: Floats, support: Ints, penalty: float) -> Floats:
    """The clicks of each item, by ridge regression on the facts of those that have some."""
    known, clicks = table[support > 0], support[support > 0].astype(np.float64)
    square = known.T @ known + penalty * np.eye(table.shape[1])
    scores: Floats = table @ np.linalg.solve(square, known.T @ (clicks - clicks.mean()))
    return scores


def recall_of(scores: Floats, targets: Ints, k: int) -> float:
    """The share of the targets whose score is one of the k highest, ties counted against it."""
    ranks = (scores[None, :] >= scores[targets][:, None]).sum(axis=1)
    return float((ranks <= k).mean())


if __name__ == "__main__":
    main()
