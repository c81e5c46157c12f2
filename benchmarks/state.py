"""Clicks to sessions that the service keeps beside requests that bring theirs: `python -m benchmarks.state`.

By turns in one run: stateless, sessions in memory, and those with each click on disk before its answer. Told
is the median of each, and that of its ratios to the stateless run of the same turn. Prints a table.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

import recsys_gru as rg
from benchmarks.load import Figures, Kept, Sessions, Stateless, closed
from benchmarks.serving import made_up, served, server_at, with_cost

TOLD = ("per_second", "p50_ms", "p99_ms", "processor_us")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--model", type=Path, help="a saved model in place of the made-up one")
    parser.add_argument("--together", type=int, nargs="*", default=[1, 8, 32], help="sessions at once")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--cores", default="0,1", help="of the generator and of the servers")
    asked = parser.parse_args()
    mine, core = asked.cores.split(",")
    with tempfile.TemporaryDirectory(dir=".") as place:  # on a real disk
        folder = asked.model or made_up(asked.items, asked.units, Path(place) / "model")
        ids = rg.load(folder).vocabulary_.ids.to_list()
        os.sched_setaffinity(0, {int(mine)})
        with (
            served(folder, core, "--sessions", "memory") as in_memory,
            served(folder, core, "--sessions", "memory", "--clicks", f"{place}/clicks") as on_disk,
        ):
            kinds: dict[str, tuple[int, type[Sessions]]] = {
                "stateless": (in_memory, Stateless),
                "sessions in memory": (in_memory, Kept),
                "and clicks on disk": (on_disk, Kept),
            }
            print("| at once | what | requests/s | p50, ms | p99, ms | processor, us |")
            print("|---|---|---|---|---|---|")
            for count in asked.together:
                show(count, by_turns(asked, count, ids, kinds))


def by_turns(
    asked: argparse.Namespace,
    count: int,
    ids: list[int],
    kinds: dict[str, tuple[int, type[Sessions]]],
) -> dict[str, list[Figures]]:
    """The figures of each kind, turn by turn; the first turn is not counted."""
    servers = {port: server_at(port) for port, _ in kinds.values()}
    found: dict[str, list[Figures]] = {name: [] for name in kinds}
    for _ in range(1 + asked.turns):
        for name, (port, kind) in kinds.items():
            request = kind(ids).next
            run = with_cost(servers[port], lambda: closed(port, count, asked.seconds, request))  # noqa: B023
            found[name].append(run)
    return {name: runs[1:] for name, runs in found.items()}


def show(count: int, found: dict[str, list[Figures]]) -> None:
    """A line of each kind."""
    beside = found["stateless"]
    for name, runs in found.items():
        cells = [
            f"{statistics.median(run[what] for run in runs):,.1f} "
            f"({statistics.median(run[what] / one[what] for run, one in zip(runs, beside, strict=True)):.2f})"
            for what in TOLD
        ]
        print(f"| {count} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
