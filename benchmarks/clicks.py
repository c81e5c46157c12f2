"""How fast and in how much memory a log is prepared, beside the same steps in pandas.

    python benchmarks/clicks.py 1 10 --folder /tmp/clicks          # million clicks
    python benchmarks/clicks.py 100 --folder /tmp/clicks --no-pandas

Each size is generated once in files of a million clicks. Each way runs in a process of its own, so that the
peak of its memory is its own; the ways take turns, ``--repeats`` times, and the medians are compared. Every
process does a small log first, so that imports and compiling are not timed. The two ways in memory must
give the same training arrays, or the script stops.
"""

import argparse
import hashlib
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks import (
    Recipe,
    Sessions,
    check_clicks,
    filter_sessions,
    generate_clicks,
    prepare,
    read_clicks,
    split_by_time,
)

if TYPE_CHECKING:
    import pandas as pd

CLICKS_PER_SESSION = 5
MILLION = 1_000_000


def generated(folder: Path, millions: int) -> Path:
    """A folder of files of about a million clicks each (0: one of a few thousand), written once."""
    place = folder / f"log-{millions}m"
    place.mkdir(parents=True, exist_ok=True)
    for part in range(millions or 1):
        file = place / f"{part:04}.parquet"
        if not file.exists():
            n_sessions = MILLION // CLICKS_PER_SESSION if millions else 1_000
            log = generate_clicks(n_sessions, 50_000 if millions else 100, days=60, part=part)
            log.write_parquet(file)
    return place


def in_memory(place: Path) -> str:
    """Our way for logs that fit into memory; gives a digest of the training arrays."""
    clicks = check_clicks(read_clicks(place)).clicks
    split = split_by_time(clicks, test=timedelta(days=1))
    train = Sessions.from_events(filter_sessions(split.train, min_support=5, min_length=2))
    test = Sessions.from_events(split.test, train.vocabulary)
    return digest(train.items, train.offsets, train.times, test.items, test.offsets)


def on_disk(place: Path) -> str:
    """Our way for logs of any size; also keeps the ledger and the rejected rows."""
    target, recipe = place.with_name(f"{place.name}-prepared"), Recipe(test=timedelta(days=1))
    prepared = prepare(read_clicks(place), target, recipe)
    train, test = prepared.train, prepared.test
    return digest(train.items, train.offsets, train.times, test.items, test.offsets)


def in_pandas(place: Path) -> str:
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
    cut = log["time"].max() - timedelta(days=1)
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
    return digest(numbers.astype(np.int32), offsets, times, tested[tested >= 0].astype(np.int32), known)


def oldest_first(part: "pd.DataFrame") -> "pd.DataFrame":
    """Sessions by first time, then id; their rows are in order already."""
    part = part.assign(start=part.groupby("session_id")["time"].transform("min"))
    return part.sort_values(["start", "session_id"])


def offsets_of(sessions: "pd.Series[int]") -> NDArray[np.int64]:
    """Where each session begins, and the end."""
    ids = sessions.to_numpy()
    return np.concatenate([np.flatnonzero(np.diff(ids, prepend=ids[0] - 1)), [len(ids)]])


def digest(*arrays: NDArray[np.generic]) -> str:
    """A short name of what came out."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:12]


def measured(way: Callable[[Path], str], place: Path) -> tuple[float, float, str]:
    """Seconds, peak memory in GB and the digest of one way, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_one, (way, place))


def _one(way: Callable[[Path], str], place: Path) -> tuple[float, float, str]:
    way(generated(place.parent, 0))
    begin = time.perf_counter()
    made = way(place)
    seconds = time.perf_counter() - begin
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, made


def compare(place: Path, ways: list[Callable[[Path], str]], repeats: int) -> None:
    """Run the ways in turns and print every median, then the ratio to pandas."""
    clicks = pl.scan_parquet(place / "*.parquet").select(pl.len()).collect().item()
    runs = [(way, measured(way, place)) for _ in range(repeats) for way in ways]
    seconds = {way: statistics.median(run[0] for ran, run in runs if ran is way) for way in ways}
    for way, middle in seconds.items():
        peak, made = (
            max(run[1] for ran, run in runs if ran is way),
            {run[2] for ran, run in runs if ran is way},
        )
        each = ", ".join(f"{run[0]:.1f}" for ran, run in runs if ran is way)
        print(
            f"{clicks:>12,} clicks  {way.__name__:<10} {middle:8.1f} s ({each})  {clicks / middle:>11,.0f}"
            f" clicks/s  peak {peak:5.2f} GB  made {' '.join(made)}",
            flush=True,
        )
    if in_pandas in seconds:
        if len({run[2] for _, run in runs}) > 1:
            raise SystemExit("the ways do not agree")
        for way in (in_memory, on_disk):
            ratio = seconds[in_pandas] / seconds[way]
            print(f"{clicks:>12,} clicks  {way.__name__:<10} is {ratio:.1f}x as fast as in_pandas")


def main() -> None:
    """Print a line for each size and way."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("millions", type=int, nargs="+")
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--no-pandas", action="store_true", help="only on_disk, once: for the largest logs")
    chosen = options.parse_args()
    print(f"polars {pl.__version__}, {pl.thread_pool_size()} threads, Python {sys.version.split()[0]}")
    for millions in chosen.millions:
        place = generated(chosen.folder, millions)
        if chosen.no_pandas:
            compare(place, [on_disk], 1)
        else:
            compare(place, [in_memory, in_pandas, on_disk], chosen.repeats)


if __name__ == "__main__":
    main()
