"""How fast and in how much memory a log is prepared, beside the same steps in pandas.

    python benchmarks/clicks.py 1 10 --folder /tmp/clicks          # million clicks
    python benchmarks/clicks.py 100 --folder /tmp/clicks --no-pandas

Each size is generated once in files of a million clicks, then prepared in a process of its own, so that the
peak of its memory is its own.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from recsys_gru.clicks import generate_clicks, prepare, read_clicks

CLICKS_PER_SESSION = 5
MILLION = 1_000_000


def generated(folder: Path, millions: int) -> Path:
    """A folder of files of about a million clicks each, written once."""
    place = folder / f"log-{millions}m"
    place.mkdir(parents=True, exist_ok=True)
    for part in range(millions):
        file = place / f"{part:04}.parquet"
        if not file.exists():
            log = generate_clicks(MILLION // CLICKS_PER_SESSION, 50_000, days=60, part=part)
            log.write_parquet(file)
    return place


def with_polars(place: Path) -> int:
    """Our own way; gives the training events."""
    return prepare(read_clicks(place), place.with_name(f"{place.name}-prepared")).train.n_events


def with_pandas(place: Path) -> int:
    """The same steps as everybody writes them in pandas."""
    import pandas as pd

    log = pd.concat([pd.read_parquet(file) for file in sorted(place.glob("*.parquet"))])
    log = log.dropna().drop_duplicates().sort_values(["session_id", "time", "item_id"])
    starts = log.groupby("session_id")["time"].transform("min")
    days = log["time"].groupby(log["session_id"]).min().sort_values(ascending=False)
    cut = days.iloc[int(0.05 * len(days))].normalize()
    train, test = log[log["time"] < cut], log[starts >= cut]
    height = -1
    while height != len(train):
        height = len(train)
        train = train[train.groupby("session_id")["item_id"].transform("size") >= 2]
        train = train[train.groupby("item_id")["session_id"].transform("size") >= 5]
    train = train.assign(start=train.groupby("session_id")["time"].transform("min"))
    train = train.sort_values(["start", "session_id", "time", "item_id"])
    numbers = {item: number for number, item in enumerate(train["item_id"].unique())}
    train["item"], test = train["item_id"].map(numbers), test[test["item_id"].isin(numbers)]
    return len(train)


def measured(way: Callable[[Path], int], place: Path) -> tuple[float, float, int]:
    """Seconds, peak memory in GB and training events of one way, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_one, (way, place))


def _one(way: Callable[[Path], int], place: Path) -> tuple[float, float, int]:
    begin = time.perf_counter()
    events = way(place)
    seconds = time.perf_counter() - begin
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, events


def main() -> None:
    """Print a line for each size and way."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("millions", type=int, nargs="+")
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--no-pandas", action="store_true")
    chosen = options.parse_args()
    ways = [with_polars] if chosen.no_pandas else [with_polars, with_pandas]
    threads = pl.thread_pool_size()
    print(f"polars {pl.__version__}, {threads} threads, Python {sys.version.split()[0]}")
    for millions in chosen.millions:
        place = generated(chosen.folder, millions)
        clicks = pl.scan_parquet(place / "*.parquet").select(pl.len()).collect().item()
        for way in ways:
            seconds, peak, events = measured(way, place)
            print(
                f"{clicks:>12,} clicks  {way.__name__:<12} {seconds:8.1f} s  {clicks / seconds:>11,.0f}"
                f" clicks/s  peak {peak:5.2f} GB  {events:,} training events",
                flush=True,
            )


if __name__ == "__main__":
    main()
