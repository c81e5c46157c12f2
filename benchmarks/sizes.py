"""What one core answers by the size of the model: `python -m benchmarks.sizes [ITEMSxUNITS ...]`.

Made-up models, so many sessions at once as fast as the answers come, the generator on another core. Of three
runs that of the median p99. The microseconds are the processor's, memory is the server's
after them. Prints a table.
"""

import argparse
import os
import tempfile
from pathlib import Path

import recsys_gru as rg
from benchmarks.load import Figures, Stateless, closed
from benchmarks.serving import made_up, repeated, served, server_at, with_cost

SIZES = ["10000x100", "50000x100", "200000x100", "50000x256"]
MB = 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=SIZES)
    parser.add_argument("--together", type=int, default=32, help="sessions at once")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", default="0,1", help="of the generator and of the server")
    asked = parser.parse_args()
    mine, core = asked.cores.split(",")
    print(f"| items x units | requests/s, {asked.together} at once | p99, ms | us/request | memory, MB |")
    print("|---|---|---|---|---|")
    for size in asked.sizes:
        items, units = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as place:
            folder = made_up(items, units, Path(place) / "model")
            ids = rg.load(folder).vocabulary_.ids.to_list()
            os.sched_setaffinity(0, {int(mine)})
            found, memory = measured(asked, folder, ids, core)
        print(
            f"| {items:,} x {units} | {found['per_second']:,.0f} | {found['p99_ms']:.0f} "
            f"| {found['processor_us']:.0f} | {memory:,.0f} |",
            flush=True,
        )


def measured(asked: argparse.Namespace, folder: Path, ids: list[int], core: str) -> tuple[Figures, float]:
    """The figures of one model, and the server's memory after them."""
    with served(folder, core) as port:
        server = server_at(port)

        def run() -> Figures:
            return closed(port, asked.together, asked.seconds, Stateless(ids).next)

        return repeated(asked, lambda: with_cost(server, run)), server.memory_info().rss / MB


if __name__ == "__main__":
    main()
