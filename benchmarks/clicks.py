"""How fast and in how much memory a log is prepared, beside the same steps in pandas.

    python -m benchmarks.clicks 1 10 --folder /tmp/clicks          # million clicks
    python -m benchmarks.clicks 100 --folder /tmp/clicks --ways on_disk --repeats 1
    python -m benchmarks.clicks 100 --folder /tmp/clicks --generate           # only writes the log

Each size is generated once: a file of a million clicks for each day, its rows in random order. Ids are text
that does not compress, as shops write it (``--numbers``: whole numbers). Each way runs in a process of its
own, so that the peak of its memory is its own; the ways take turns, ``--repeats`` times, and the medians are
compared. Every process does a small log first, so that imports and compiling are not timed. All ways must
give the same arrays, or the script stops. ``--out`` writes everything measured as JSON.
"""

import argparse
import hashlib
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks import Recipe, check_clicks, generate_clicks, read_clicks
from recsys_gru.preparation import prepare
from recsys_gru.sessions import Sessions, filter_sessions, split_by_time

if TYPE_CHECKING:
    import pandas as pd

Arrays: TypeAlias = tuple[NDArray[np.generic], ...]
Way: TypeAlias = Callable[[Path], Arrays]
Facts: TypeAlias = dict[str, str | int | float | list[float]]
CLICKS_PER_SESSION = 5
MILLION = 1_000_000
TEST = timedelta(hours=6)


def generated(folder: Path, millions: int, *, text: bool) -> Path:
    """A folder of files of about a million clicks each (0: one of a few thousand), written once."""
    place = folder / f"log-{millions}m-{'text' if text else 'numbers'}"
    place.mkdir(parents=True, exist_ok=True)
    n_sessions, n_items = (MILLION // CLICKS_PER_SESSION, 200_000) if millions else (1_000, 100)
    for part in range(millions or 1):
        file = place / f"{part:04}.parquet"
        if file.exists():
            continue
        days = 1 if millions else 3
        log = generate_clicks(n_sessions, n_items, days, part=part, text_ids=text)
        log = log.with_columns(pl.col("time") + timedelta(days=part))
        aside = file.with_suffix(".partial")
        shuffled = log.sample(fraction=1.0, shuffle=True, seed=part)
        shuffled.write_parquet(aside, use_pyarrow=True, compression="snappy")  # as most systems write it
        aside.rename(file)
    return place


def in_memory(place: Path) -> Arrays:
    """Our way for logs that fit into memory; gives the training and test arrays."""
    clicks = check_clicks(read_clicks(place)).clicks
    split = split_by_time(clicks, TEST)
    train = Sessions.from_events(filter_sessions(split.train, min_support=5, min_length=2))
    test = Sessions.from_events(split.test, train.vocabulary)
    return train.items, train.offsets, train.times, test.items, test.offsets


def on_disk(place: Path) -> Arrays:
    """Our way for logs of any size; also keeps the ledger and the rejected rows."""
    target, recipe = place.with_name(f"{place.name}-prepared"), Recipe(test=TEST)
    prepared = prepare(read_clicks(place), target, recipe)
    train, test = prepared.train, prepared.test
    return train.items, train.offsets, train.times, test.items, test.offsets


def in_pandas(place: Path) -> Arrays:
    """The same steps in pandas: checks, duplicates, split, fixed point, numbers, packed arrays."""
    import pandas as pd

    log = pd.read_parquet(place)
    holed = log.isna().any(axis=1)
    day = log["time"].dt.floor("D")
    low, high = day.quantile([0.01, 0.99], interpolation="nearest")
    margin = max(pd.Timedelta(days=366), 10 * (high - low))
    far = ~day.between(low - margin, high + margin)
    bad = holed | far | log.duplicated()
    rejected, log = log[bad], log[~bad].sort_values(["session_id", "time", "item_id"], ignore_index=True)
    start = log.groupby("session_id")["time"].transform("min")
    cut = log["time"].max() - TEST
    train, test = log[log["time"] < cut], log[start >= cut]
    height = -1
    while height != len(train):
        height = len(train)
        train = train[train.groupby("session_id")["item_id"].transform("size") >= 2]
        train = train[train.groupby("item_id")["session_id"].transform("size") >= 5]
    train, test = (oldest_first(part) for part in (train, test))
    numbers, items = pd.factorize(train["item_id"])
    tested = pd.Index(items).get_indexer(test["item_id"])
    offsets, tested_offsets = offsets_of(train["session_id"]), offsets_of(test["session_id"])
    known = np.concatenate([[0], np.cumsum(tested >= 0)])[tested_offsets]
    times = train["time"].dt.as_unit("us").astype("int64").to_numpy()
    assert len(rejected) + len(log) == len(bad)
    return numbers.astype(np.int32), offsets, times, tested[tested >= 0].astype(np.int32), known


def oldest_first(part: "pd.DataFrame") -> "pd.DataFrame":
    """Sessions by first time, then id; their rows are in order already."""
    part = part.assign(start=part.groupby("session_id")["time"].transform("min"))
    return part.sort_values(["start", "session_id"])


def offsets_of(sessions: "pd.Series[int]") -> NDArray[np.int64]:
    """Where each session begins, and the end."""
    begins = (sessions != sessions.shift()).to_numpy()
    return np.append(np.flatnonzero(begins), len(begins))


def digest(arrays: Arrays) -> str:
    """A short name of what came out."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).view(np.uint8).data)
    return whole.hexdigest()[:12]


def measured(way: Way, place: Path, small: Path) -> tuple[float, float, str]:
    """Seconds, peak memory in GB and the digest of one way, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_one, (way, place, small))


def _one(way: Way, place: Path, small: Path) -> tuple[float, float, str]:
    way(small)
    begin = time.perf_counter()
    made = way(place)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return seconds, peak, digest(made)


def compare(place: Path, small: Path, ways: Sequence[Way], repeats: int) -> list[Facts]:
    """Run the ways in turns, print every median and the ratio to pandas, and give the facts."""
    files = sorted(place.glob("*.parquet"))
    clicks = int(pl.scan_parquet(files).select(pl.len()).collect().item())
    size = sum(file.stat().st_size for file in files) / 1e9
    print(f"{place.name}: {clicks:,} clicks in {len(files)} files of {size:.2f} GB together", flush=True)
    runs = [(way, measured(way, place, small)) for _ in range(repeats) for way in ways]
    log: Facts = {"log": place.name, "clicks": clicks, "files": len(files), "gigabytes": round(size, 3)}
    found = [log | _summary(way, [run for ran, run in runs if ran is way], clicks) for way in ways]
    if len({run[2] for _, run in runs}) > 1:
        raise SystemExit("the ways do not agree")
    _ratios(found)
    return found


def _summary(way: Way, runs: list[tuple[float, float, str]], clicks: int) -> Facts:
    seconds, peak = [round(run[0], 2) for run in runs], max(run[1] for run in runs)
    middle = statistics.median(seconds)
    each = ", ".join(f"{one:.1f}" for one in seconds)
    print(
        f"  {way.__name__:<10}{middle:8.1f} s ({each}) {clicks / middle:>11,.0f} clicks/s"
        f"  peak {peak:5.2f} GB  made {runs[0][2]}",
        flush=True,
    )
    return {
        "way": way.__name__,
        "seconds": seconds,
        "median_seconds": middle,
        "clicks_per_second": round(clicks / middle),
        "peak_gigabytes": round(peak, 3),
        "digest": runs[0][2],
    }


def _ratios(found: list[Facts]) -> None:
    middle = {str(facts["way"]): float(str(facts["median_seconds"])) for facts in found}
    for facts in found if in_pandas.__name__ in middle else []:
        facts["times_as_fast_as_pandas"] = round(middle["in_pandas"] / middle[str(facts["way"])], 2)
        print(f"  {facts['way']:<10} {facts['times_as_fast_as_pandas']} times as fast as in_pandas")


def main() -> None:
    """Print a line for each size and way."""
    ways = {way.__name__: way for way in (in_memory, in_pandas, on_disk)}
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("millions", type=int, nargs="+")
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--ways", nargs="+", choices=ways, default=list(ways))
    options.add_argument("--numbers", action="store_true", help="ids as whole numbers")
    options.add_argument("--generate", action="store_true", help="only write the logs")
    options.add_argument("--out", type=Path, help="file for the results as JSON")
    chosen = options.parse_args()
    print(f"polars {pl.__version__}, {pl.thread_pool_size()} threads, Python {sys.version.split()[0]}")
    small = generated(chosen.folder, 0, text=not chosen.numbers)
    logs = [generated(chosen.folder, millions, text=not chosen.numbers) for millions in chosen.millions]
    if chosen.generate:
        return
    picked = [ways[name] for name in chosen.ways]
    found = [facts for place in logs for facts in compare(place, small, picked, chosen.repeats)]
    if chosen.out is not None:
        versions = {
            "polars": pl.__version__,
            "threads": pl.thread_pool_size(),
            "python": sys.version.split()[0],
        }
        chosen.out.write_text(json.dumps({"versions": versions, "runs": found}, indent=1))


if __name__ == "__main__":
    main()
