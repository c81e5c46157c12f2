"""What training costs, as a formula: `python -m benchmarks.costs [--turns 3] [--json FILE]`.

Seconds of an event are measured over items, units, lanes and samples, one thread, and fitted by a sum of few
terms with coefficients that cannot be negative; settings that are not fitted tell how far off it is. So do
two processes that train together (fast): what each takes by itself beside another, as they share a memory,
and the speed of gloo between them are measured, and how long they take together is reckoned. Then the formula
is asked about larger logs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from benchmarks.scaling import SETTINGS

EVENTS = 60_000
CACHE = 8 << 20
"""Bytes of tables beyond which rows come from memory: of the order of a core's share of the last cache."""
PAUSE, SELDOM, MEETS = 256, 4, 2048
"""Updates between two meetings: 256, times 4 or a 2,048th of the items (`training.parallel`)."""


@dataclass(frozen=True)
class Point:
    """A setting: what the seconds of an event depend on."""

    items: int
    units: int
    lanes: int = 32
    samples: int = 2048

    @property
    def rows(self) -> float:
        """Different items that an update touches, as if all were drawn alike."""
        return float(self.items * -np.expm1(-(self.lanes + self.samples) / self.items))

    @property
    def terms(self) -> NDArray[np.float64]:
        """An event itself, its step of the GRU, its scores, the numbers of its share of the rows, those rows,
        and those rows where they have to come from memory."""
        rows = self.rows / self.lanes
        far = max(0.0, np.log2(self.items * self.units * 8 / CACHE))
        scored = 6 * self.units * self.rows
        return np.array([1.0, 18 * self.units**2, scored, rows * self.units, rows, rows * far])


FITTED = [
    *(Point(items, units) for items in (4_000, 40_000, 400_000) for units in (32, 100, 256)),
    *(Point(items, 100, 64, 512) for items in (4_000, 400_000)),
    *(Point(items, 64, 128, 1024) for items in (10_000, 150_000)),
    *(Point(40_000, units, 128) for units in (100, 256)),
    Point(10_000, 200, 16, 512),
    Point(1_000_000, 64),
    Point(400_000, 64, 128, 4096),
]
HELD_OUT = [
    Point(100_000, 64),
    Point(20_000, 200, 96),
    Point(1_000_000, 100, 64, 1024),
    Point(60_000, 150, 80, 1500),
    Point(300_000, 48, 200, 4096),
]
TOGETHER = Point(40_000, 100)
ASKED = {
    "OTTO, 195M clicks, 1.9M items, 100 units": (195e6, Point(1_900_000, 100)),
    "10 billion clicks, 1.9M items, 100 units": (1e10, Point(1_900_000, 100)),
    "10 billion clicks, 10M items, 256 units": (1e10, Point(10_000_000, 256, 128, 8192)),
}
NETWORK = 1.25e9
"""Bytes a second of the network that is asked about: 10 Gbit/s."""


def main() -> None:
    """Print the formula, how far off it is, and what it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=("gloo", "beside", "fit"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        as_child(options.child)
        return
    found: dict[Point, list[float]] = {point: [] for point in (*FITTED, *HELD_OUT, TOGETHER)}
    for _ in range(options.turns):
        for point, taken in found.items():
            taken.append(seconds_of(point))
    measured = {point: statistics.median(taken) for point, taken in found.items()}
    costs = fitted({point: measured[point] for point in FITTED})
    print("seconds of an event:", ", ".join(f"{cost:.3g}" for cost in costs))
    for point, seconds in measured.items():
        told, off = "fitted" if point in FITTED else "held out", float(costs @ point.terms) / seconds - 1
        print(f"{told:<9}{point!s:<62}{seconds * 1e6:>8.2f} us, off {off:+.1%}")
    gloo, turns = child("gloo"), [(child("beside"), child("fit")) for _ in range(options.turns)]
    beside, two = (statistics.median(taken) for taken in zip(*turns, strict=True))
    reckoned = epoch(EVENTS * 10, TOGETHER, 2, beside, gloo) / (EVENTS * 10)
    print(f"gloo {gloo / 1e6:,.0f} MB/s; one process beside another {beside * 1e6:.2f} us an event")
    print(f"two processes together {two * 1e6:.2f} us, off {reckoned / two - 1:+.1%}")
    for name, (clicks, point) in ASKED.items():
        seconds = float(costs @ point.terms)
        hours = {size: epoch(clicks, point, size, seconds, NETWORK) / 3600 for size in (1, 2, 8, 64)}
        told = ", ".join(f"{size} processes {value:,.2f} h" for size, value in hours.items())
        print(f"{name}: an epoch in {told}; memory of one {memory(point) / 1e9:.1f} GB")
    if options.json:
        rows = [asdict(point) | {"seconds": seconds} for point, seconds in measured.items()]
        options.json.write_text(
            json.dumps({"costs": costs.tolist(), "gloo": gloo, "beside": beside, "two": two, "rows": rows})
        )


def fitted(measured: dict[Point, float]) -> NDArray[np.float64]:
    """Seconds of each term: the least sum of squares of relative errors."""
    terms = np.array([point.terms / seconds for point, seconds in measured.items()])
    scale = terms.max(axis=0)
    found: NDArray[np.float64] = nnls(terms / scale, np.ones(len(terms)))[0] / scale
    return found


def epoch(clicks: float, point: Point, size: int, seconds: float, speed: float) -> float:
    """Seconds of an epoch of so many processes that meet over a network of so many bytes a second."""
    mine = clicks / size
    between = PAUSE * max(SELDOM, point.items // MEETS) * point.lanes
    touched = point.items * -np.expm1(-(between / point.lanes * point.rows * size) / point.items)
    told = touched * (point.units + 1) * 2 * 4
    meeting = 2 * (size - 1) / size * told / speed
    return float(mine * seconds + mine / between * meeting)


def memory(point: Point) -> float:
    """Bytes of the weights and the optimiser's sums, and of the copy of both that processes compare with."""
    return 4.0 * point.items * (point.units + 1) * 2 * 2


def seconds_of(point: Point, events: int = EVENTS, parallel: str | None = None) -> float:
    """Seconds of an event in a second epoch; items by a power law, sessions of five clicks."""
    import torch

    from recsys_gru.training import Position, Settings, TrainingData
    from recsys_gru.training.parallel import way_of

    torch.set_num_threads(1)
    own = {"layers": (point.units,), "batch_size": point.lanes, "n_sample": point.samples, "n_epochs": 2}
    settings = Settings(**(SETTINGS | own))
    shares = np.arange(1, point.items + 1) ** -0.6
    shares /= shares.sum()
    clicks = np.random.default_rng(1).choice(point.items, events, p=shares).astype(np.int32)
    data = TrainingData(clicks, np.arange(0, events + 1, 5))
    support = np.maximum(1, 10 * point.items * shares).astype(np.int64)
    learner = settings.learner(support, point.lanes, torch.device("cpu"))
    way = way_of(parallel, learner, data)
    for number in range(2):
        at = Position(number)
        for _ in way.epoch(settings, at, PAUSE):
            pass
        way.close(at)
    return at.seconds / at.events


def child(what: str) -> float:
    """What the first of two processes finds."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    said = subprocess.run(
        [*run, "-m", "benchmarks.costs", "--child", what],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ).stdout
    return float(said)


def as_child(what: str) -> None:
    """One of two processes: bytes a second that each tells the other, or seconds of an event by itself beside
    the other, or of both."""
    import torch

    from recsys_gru.training import together

    with together() as exchange:
        if what == "fit":
            found = seconds_of(TOGETHER, EVENTS * 10, "fast")
        elif what == "beside":
            found = seconds_of(TOGETHER, EVENTS * 5)
        else:
            values, times = torch.ones(8 << 20), []
            for _ in range(5):
                began = time.perf_counter()
                exchange.add(values)
                times.append(time.perf_counter() - began)
            found = values.nbytes / statistics.median(times)
        if exchange.rank == 0:
            print(found, flush=True)


if __name__ == "__main__":
    main()
