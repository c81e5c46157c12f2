"""What an exported network is worth in onnxruntime: `python -m benchmarks.export LOG [LOG ...]`.

The recommended GRU4Rec on a log's training part, exported as floats and as bytes; one thread. Differences are
those from our scores over the first thousand test sessions; recall and MRR are of the first 5,000 clicks on
known items, each session so far asked as one of its own; milliseconds are the least of 200 asks of one.
Prints a table.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import recsys_gru as rg

SESSIONS, PREFIXES, AT_ONCE, ASKS = 1_000, 5_000, 256, 200
Ints = NDArray[np.int64]
Scores = NDArray[np.float32]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--test-days", type=float, default=7)
    print("| log | items | format | MB | largest difference | recall@20 | MRR@20 | ms |")
    print("|---|---|---|---|---|---|---|---|")
    asked = parser.parse_args()
    for log in asked.logs:
        clicks = rg.check_clicks(rg.read_clicks(log)).clicks
        train, test = rg.split_by_time(clicks, test=timedelta(days=asked.test_days))
        train = rg.filter_sessions(train, min_support=5, min_length=2)
        model = rg.GRU4Rec(**rg.RECOMMENDED, device="cpu").fit(train)
        show(log.stem, model, rg.as_sessions(test, model.vocabulary_))


def show(name: str, model: rg.GRU4Rec, test: rg.Sessions) -> None:
    """A line for our own scores, and one for each format."""
    known = np.flatnonzero(test.lengths)[:SESSIONS]
    sessions = [test.items[test.offsets[at] : test.offsets[at + 1]].astype(np.int64) for at in known]
    prefixes, came = prefixes_of(test)
    asked = packed(model, sessions)
    whole = np.empty((len(sessions), len(model.vocabulary_)), np.float32)
    for block in model.blocks(asked, every=False):
        whole[np.searchsorted(asked.offsets, block.rows, side="right") - 1] = block.tile(0, block.n_items)
    ways: dict[str, tuple[float, Callable[[list[Ints]], Scores]]] = {}
    with tempfile.TemporaryDirectory() as home:
        for form in ("onnx", "onnx-int8"):
            folder = Path(home) / form
            rg.export(model, folder, form)
            ways[form] = (folder / "session.onnx").stat().st_size / 1e6, runner(folder / "session.onnx")
        for form, (size, scores) in ways.items():
            found = np.concatenate(
                [scores(sessions[at : at + AT_ONCE]) for at in range(0, len(sessions), AT_ONCE)]
            )
            recall, mrr = figures(scores, prefixes, came)
            most, spent = np.abs(found - whole).max(), least(scores, sessions[:1])
            print(
                f"| {name} | {len(model.vocabulary_):,} | {form} | {size:.1f} | {most:.1e} "
                f"| {recall:.4f} | {mrr:.4f} | {spent:.2f} |",
                flush=True,
            )


def packed(model: rg.GRU4Rec, sessions: list[Ints]) -> rg.Sessions:
    """These as sessions of the library's."""
    from recsys_gru.contract.answers import sessions_of

    return sessions_of([items.astype(np.int32) for items in sessions], model.vocabulary_)


def prefixes_of(test: rg.Sessions) -> tuple[list[Ints], Ints]:
    """The first clicks of sessions, each with the click that came."""
    spans = [
        (begin, end)
        for begin, stop in zip(test.offsets[:-1].tolist(), test.offsets[1:].tolist(), strict=True)
        for end in range(begin + 1, stop)
    ][:PREFIXES]
    return [test.items[a:b].astype(np.int64) for a, b in spans], np.array([test.items[b] for _, b in spans])


def runner(path: Path) -> Callable[[list[Ints]], Scores]:
    """Scores of some sessions by a graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    graph = onnxruntime.InferenceSession(path, options)

    def scores(sessions: list[Ints]) -> Scores:
        lengths = np.array([len(items) for items in sessions])
        items = np.zeros((len(sessions), lengths.max()), np.int64)
        items[np.arange(items.shape[1]) < lengths[:, None]] = np.concatenate(sessions)
        found: Scores = graph.run(["scores"], {"items": items, "lengths": lengths})[0]
        return found

    return scores


def figures(scores: Callable[[list[Ints]], Scores], prefixes: list[Ints], came: Ints) -> tuple[float, float]:
    """Recall@20 and MRR@20, an item of the same score counting as better."""
    ranks = []
    for at in range(0, len(prefixes), AT_ONCE):
        found, targets = scores(prefixes[at : at + AT_ONCE]), came[at : at + AT_ONCE]
        own = found[np.arange(len(found)), targets]
        ranks.append((found >= own[:, None]).sum(1))
    hit = np.concatenate(ranks)
    return float((hit <= 20).mean()), float(np.where(hit <= 20, 1 / hit, 0).mean())


def least(ask: Callable[[list[Ints]], Scores], sessions: list[Ints]) -> float:
    """Milliseconds of the quickest ask."""
    spent = []
    for _ in range(ASKS):
        before = time.perf_counter()
        ask(sessions)
        spent.append(time.perf_counter() - before)
    return 1_000 * min(spent)


if __name__ == "__main__":
    main()
