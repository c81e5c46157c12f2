"""What one answer costs: `python -m benchmarks.answers LOG [--test-days 3]` or `... --items 1000000`.

The plain network, that of the recommended setting and the recommended blend, fitted in one epoch before the
log's last days, answer the same sessions of those days by turns, one at a time (`recommend_one`, 20 items,
with and without those of the session): milliseconds of the processor, median, 99th percentile, and the median
of the ratios to the plain network's answers. With `--items` the log is made up, of so many items and a click
or more on each, in sessions of five. `--clicks 512` asks with so many clicks in place of a
session's own: 512 are as many as a blend looks at.
"""

import argparse
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import torch

import recsys_gru as rg

PLAIN = {"scale": 0.0, "look_back": 0, "repeats": 0}
K = 20


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--items", type=int)
    parser.add_argument("--clicks", type=int)
    parser.add_argument("--test-days", type=float, default=3)
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clicks = rg.check_clicks(rg.read_clicks(asked.log) if asked.log else made_up(asked.items)).clicks
    train, test = (
        part.lazy().collect() for part in rg.split_by_time(clicks, timedelta(days=asked.test_days))
    )
    models = fitted(rg.Sessions.from_events(rg.filter_sessions(train, min_support=1)))
    by_session = test.group_by("session_id", maintain_order=True).agg("item_id")["item_id"].to_list()
    sessions = [items[: 1 + place % len(items)] for place, items in enumerate(by_session[: asked.sessions])]
    if asked.clicks:
        every = [item for items in by_session for item in items] * asked.clicks
        sessions = [every[place : place + asked.clicks] for place in range(len(sessions))]
    print(f"{len(models['plain'].vocabulary_):,} items, {len(sessions)} sessions, {asked.turns} turns")
    print("| | session's items | p50, ms | p99, ms | times the plain network's |\n|---|---|---|---|---|")
    answers(models, sessions[:20], True)  # loops are compiled, tables copied
    for excluded in (True, False):
        taken = answers(models, sessions * asked.turns, excluded)
        for name, seconds in taken.items():
            p50, p99 = np.percentile(1000 * seconds, [50, 99])
            ratio = np.median(seconds / taken["plain"])
            print(f"| {name} | {'left out' if excluded else 'shown'} | {p50:.2f} | {p99:.2f} | {ratio:.2f} |")


def made_up(n_items: int) -> pl.DataFrame:
    """Sessions of a click a second on all items in any order, and a thousand sessions in the three days after
    them."""
    rng = np.random.default_rng(1)
    items = np.concatenate([rng.permutation(n_items), rng.integers(n_items, size=5000)])
    late = np.arange(len(items)) >= n_items
    seconds = pl.Series(1_700_000_000 + 3 * 86_400 * late + np.arange(len(items)))
    return pl.DataFrame(
        {
            "session_id": np.arange(len(items)) // 5,
            "item_id": items,
            "time": pl.from_epoch(seconds).dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        }
    )


def fitted(train: rg.Sessions) -> dict[str, rg.Recommender]:
    """The models: what they have learned does not matter to the time, what they hold does."""
    members = rg.recommended().parameters()["models"]
    assert isinstance(members, tuple)
    short = [{**member, "n_epochs": 1} if member["model"] == "GRU4Rec" else member for member in members]
    models: dict[str, rg.Recommender] = {
        "plain": rg.GRU4Rec(**{**rg.RECOMMENDED, **PLAIN, "n_epochs": 1}),
        "recommended network": rg.GRU4Rec(**{**rg.RECOMMENDED, "n_epochs": 1}),
        "recommended blend": rg.Blend(short),
    }
    return {name: model.fit(train) for name, model in models.items()}


def answers(
    models: dict[str, rg.Recommender], sessions: list[list[int | str]], excluded: bool
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Seconds of the processor for each answer, session after session, each model in its turn."""
    taken: dict[str, list[float]] = {name: [] for name in models}
    for session in sessions:
        for name, model in models.items():
            began = time.thread_time()
            model.recommend_one(session, k=K, exclude_seen=excluded)
            taken[name].append(time.thread_time() - began)
    return {name: np.array(seconds) for name, seconds in taken.items()}


if __name__ == "__main__":
    main()
