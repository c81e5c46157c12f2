"""Clicks to sessions that the service keeps beside requests that bring theirs: `python -m benchmarks.state`.

Two services, one that keeps sessions in memory and one that has each click on disk besides before it answers;
each is asked both ways by turns. Told is the median, and that of the ratios to the stateless run of the same
turn and service. Prints a table.
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
    build = Path("build").absolute()  # on a real disk, and out of git's sight if the run is cut off
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as place:
        folder = asked.model or made_up(asked.items, asked.units, Path(place) / "model")
        ids = rg.load(folder).vocabulary_.ids.to_list()
        os.sched_setaffinity(0, {int(mine)})
        with (
            served(folder, core, "--sessions", "memory") as in_memory,
            served(folder, core, "--sessions", "memory", "--clicks", f"{place}/clicks") as on_disk,
        ):
            services = {"sessions in memory": in_memory, "and clicks on disk": on_disk}
            print("| at once | what | requests/s | p50, ms | p99, ms | processor, us |")
            print("|---|---|---|---|---|---|")
            for count in asked.together:
                show(count, by_turns(asked, count, ids, services))


def by_turns(
    asked: argparse.Namespace, count: int, ids: list[int], services: dict[str, int]
) -> dict[str, list[tuple[Figures, Figures]]]:
    """The figures of each service, without and with state, turn by turn; the first turn is not counted."""
    found: dict[str, list[tuple[Figures, Figures]]] = {name: [] for name in services}
    servers = {name: server_at(port) for name, port in services.items()}

    def run(name: str, sessions: Sessions) -> Figures:
        request, port = sessions.next, services[name]
        return with_cost(servers[name], lambda: closed(port, count, asked.seconds, request))

    for _ in range(1 + asked.turns):
        for name in services:
            found[name].append((run(name, Stateless(ids)), run(name, Kept(ids))))
    return {name: runs[1:] for name, runs in found.items()}


def show(count: int, found: dict[str, list[tuple[Figures, Figures]]]) -> None:
    """Two lines of each service."""
    for name, turns in found.items():
        for what, place in (("stateless", 0), (name, 1)):
            cells = [
                f"{statistics.median(turn[place][told] for turn in turns):,.1f} "
                f"({statistics.median(turn[place][told] / turn[0][told] for turn in turns):.2f})"
                for told in TOLD
            ]
            print(f"| {count} | {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
