"""A log prepared by one process and by workers of Ray, and what more workers would give.

    python -m benchmarks.clicks 10 --folder /tmp/clicks --generate
    python -m benchmarks.cluster /tmp/clicks/log-10m-text                   # one process, then two workers
    python -m benchmarks.cluster /tmp/clicks/log-10m-text --workers 4 --out cluster.json

Every file must be the same. Of each stage on the workers: tasks, their seconds and processor seconds; of each
worker the peak of its memory. From the processor seconds of the tasks, and of what the calling process does
alone, follow the seconds that 1 to 64 workers of one core each would take for a log of 1, 10 and 100 times as
many buckets: each stage's tasks go in order to whoever is free first (list scheduling), stages wait for each
other. Network and disk are not in it: it is a bound from above on what workers can give.
"""

import argparse
import heapq
import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import recsys_gru as rg
from recsys_gru.cluster import Ray
from recsys_gru.engines import Result, Task
from recsys_gru.sessions.seals import verify

RECIPE = rg.Recipe(test=timedelta(hours=6))
WORKERS, TIMES = (1, 2, 4, 8, 16, 32, 64), (1, 10, 100)
CUT_TO_WORKERS = {"column_sums", "deal"}
"""Stages with a task for each worker, whatever the buckets."""


@dataclass(frozen=True)
class Cost:
    """What one task took: wall and processor seconds, and the process with its peak of memory in bytes."""

    seconds: float
    processor: float
    process: int
    memory: int


@dataclass
class Timed:
    """An engine that keeps what each task of each stage took, and how long its caller waited."""

    engine: Ray
    stages: list[tuple[str, list[Cost]]] = field(default_factory=list)
    lasting = True

    @property
    def workers(self) -> int:
        return self.engine.workers

    @property
    def parts(self) -> int:
        return self.engine.parts

    def lend(self, model: rg.Recommender) -> Callable[[], rg.Recommender]:
        return self.engine.lend(model)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        whole = getattr(function, "func", function)
        costs: list[Cost] = []
        self.stages.append((getattr(whole, "__name__", "").strip("_"), costs))
        for result, cost in self.engine.map(partial(timed, function), tasks):
            costs.append(cost)
            yield result


def timed(function: Callable[[Task], Result], task: Task) -> tuple[Result, Cost]:
    """A result and what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    result = function(task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    cost = Cost(time.perf_counter() - wall, time.process_time() - processor, os.getpid(), peak)
    return result, cost


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last of some tasks is done that go in order to whoever is free first.

    >>> makespan([3.0, 1.0, 1.0, 1.0], 2)
    3.0
    """
    free = [0.0] * workers
    for one in seconds:
        heapq.heappush(free, heapq.heappop(free) + one)
    return max(free)


def foretold(stages: Sequence[tuple[str, list[Cost]]], alone: float, workers: int, times: int) -> float:
    """Seconds of a log of so many times the buckets on so many workers."""
    total = alone * times
    for name, costs in stages:
        seconds = [one.processor for one in costs] * times
        if name in CUT_TO_WORKERS:
            seconds = [sum(seconds) / workers] * workers
        total += makespan(seconds, workers)
    return total


def main() -> None:
    """Measure both ways and print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=4_000_000, help="of a bucket")
    parser.add_argument("--skip-alone", action="store_true", help="only the workers")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    clicks = rg.read_clicks(asked.log)
    told: dict[str, object] = {}
    one, many = (asked.log.with_name(f"{asked.log.name}-{name}") for name in ("alone", "shared"))
    if not asked.skip_alone:
        wall, processor = time.perf_counter(), time.process_time()
        rg.prepare(clicks, one, RECIPE, rows_per_bucket=asked.rows)
        told["alone"] = {
            "seconds": time.perf_counter() - wall,
            "processor": time.process_time() - processor,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        print("one process", told["alone"])
    with Ray(workers=asked.workers) as engine:
        list(engine.map(abs, range(4 * asked.workers)))  # the workers have begun
        seen = Timed(engine)
        wall, processor = time.perf_counter(), time.process_time()
        rg.prepare(clicks, many, RECIPE, rows_per_bucket=asked.rows, engine=seen)
        alone = time.process_time() - processor
        told["shared"] = {"seconds": time.perf_counter() - wall, "processor_of_caller": alone}
    print(f"{asked.workers} workers", told["shared"])
    show(seen.stages, alone)
    if not asked.skip_alone:
        sealed = [json.loads((folder / "prepared.json").read_text()) for folder in (one, many)]
        verify(many, sealed[1])
        assert sealed[0] == sealed[1], "the files differ"
        print(f"{len(sealed[0]['sha256'])} files are the same")
    for folder in (one, many):
        shutil.rmtree(folder, ignore_errors=True)
    if asked.out:
        told["stages"] = [[name, [asdict(cost) for cost in costs]] for name, costs in seen.stages]
        asked.out.write_text(json.dumps(told, indent=1))


def show(stages: Sequence[tuple[str, list[Cost]]], alone: float) -> None:
    """The stages, the workers' memory, and what more of them would give."""
    for name, costs in stages:
        wall, processor = (sum(getattr(one, what) for one in costs) for what in ("seconds", "processor"))
        print(f"  {name:<12} {len(costs):>4} tasks {wall:8.1f} s {processor:8.1f} s of a processor")
    memory: dict[int, int] = {}
    for _, costs in stages:
        memory |= {one.process: max(memory.get(one.process, 0), one.memory) for one in costs}
    print("  peak memory ", ", ".join(f"{peak / 1e9:.2f} GB" for peak in memory.values()))
    print("workers  " + "".join(f"{f'buckets x {times}':>18}" for times in TIMES))
    for workers in WORKERS:
        cells = []
        for times in TIMES:
            seconds = foretold(stages, alone, workers, times)
            cells.append(f"{seconds:8.1f} s {foretold(stages, alone, 1, times) / seconds:6.1f}x")
        print(f"{workers:>7}  " + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
