"""What an hour costs between the nights: `python -m benchmarks.fresh_job [--items 20000] [--clicks 5000]`.

A made-up log with a champion of the recommended setting on all items and three days in the store; then hours
of so many clicks, each learned by the job, from the landed file to the published version with its guard and
its curves. Once by a process for each hour, its imports apart, and once by one process that stays. Medians
over ``--hours`` hours each: until the version is published, until all is told, the processor's seconds.
With ``--home`` the project stays, and another call goes on with its next hours, of which there are HOURS.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    import recsys_gru as rg
    from pipelines.plumbing.settings import Settings

DAY = datetime(2026, 1, 4, tzinfo=UTC)
HISTORY, HOURS = 3, 20
WIDE = 1024
NAMES = ("imports", "published", "job", "processor")
ONE_SHOT = """
import json, sys, time
began = time.perf_counter()
import mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store, mlflow.store.model_registry.sqlalchemy_store
import numba, polars, scipy.sparse, safetensors.numpy, torch
import recsys_gru
for name in recsys_gru.__all__:
    getattr(recsys_gru, name)
from benchmarks.fresh_job import learned
learned(sys.argv[1], [int(hour) for hour in sys.argv[2:]], began)
"""


def main() -> None:
    """Print a table; write it as JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--clicks", type=int, default=5_000)
    parser.add_argument("--hours", type=int, default=5)
    parser.add_argument("--blend", action="store_true", help="the recommended blend, else its network alone")
    parser.add_argument("--no-register", action="store_true", help="leave MLflow's registry out")
    parser.add_argument("--threads", type=int, help="of each process, else as many as it finds cores")
    parser.add_argument("--home", type=Path, help="a folder for the project, else one that is removed")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    kept = contextlib.nullcontext(asked.home) if asked.home else tempfile.TemporaryDirectory()
    with kept as folder:
        home = Path(folder)
        if not (home / "nightly.toml").exists():
            how = {"register": not asked.no_register, "blend": asked.blend}
            prepare(home, asked.items, asked.clicks, HOURS, **how)
        first, each = next_hour(home), asked.hours + 1
        found = {
            "a process an hour": [
                row for hour in range(each) for row in measured(home, [first + hour], asked.threads)
            ],
            "a process that stays": measured(
                home, list(range(first + each, first + 2 * each)), asked.threads
            ),
        }
    for way, rows in found.items():
        for name in NAMES:
            values = [
                row[name] for row in rows[1:]
            ]  # the first hour loads what the disk was not asked for yet
            print(
                f"{way}, {name}: {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"
            )
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


def prepare(home: Path, items: int, clicks: int, hours: int, *, register: bool, blend: bool = False) -> None:
    """A project folder: settings, three days in the store, a champion, landed hours."""
    import polars as pl

    import recsys_gru as rg
    from pipelines.stages.champion import registry_of
    from pipelines.stages.ingest import ingest

    settings = settings_in(home, register)
    log = rg.generate_clicks(
        n_sessions=24 * clicks * (HISTORY + 1) // 4, n_items=items, days=HISTORY + 1, seed=1
    )
    log = pl.concat([log, _each_once(log, items)]).sort("time")
    landing = home / "landing"
    for back in range(HISTORY, 0, -1):
        day = (DAY - timedelta(days=back)).date()
        log.filter(pl.col("time").dt.date() == day).write_parquet(landing / f"{day}.parquet")
        ingest(day, settings)
    model = _fitted(log.filter(pl.col("time") < DAY), blend=blend)
    print(f"champion of {len(model.vocabulary_):,} items: {type(model).__name__}", flush=True)
    registry = registry_of(settings)
    registry.promote(registry.register(model, tags={"day": DAY.date().isoformat()}), "a benchmark")
    stream = log.filter(pl.col("time") >= DAY)
    for hour in range(hours):
        start, part = DAY + timedelta(hours=hour), stream.slice(hour * clicks, clicks)
        passed = pl.col("time").to_physical() - part["time"].to_physical()[0]
        share = passed / (stream["time"].to_physical()[(hour + 1) * clicks] - part["time"].to_physical()[0])
        moved = part.with_columns(time=start + pl.duration(microseconds=(share * 3.6e9).cast(pl.Int64)))
        moved.write_parquet(landing / f"{start:%Y-%m-%dT%H}.parquet")


def next_hour(home: Path) -> int:
    """The first hour of the day that was not learned yet."""
    from pipelines.plumbing.settings import read_settings
    from pipelines.plumbing.versions import current

    version = current(read_settings(home / "nightly.toml"))
    return 0 if version is None else (version.until - DAY) // timedelta(hours=1)


def _fitted(log: "pl.DataFrame", *, blend: bool) -> "rg.GRU4Rec | rg.Blend":
    """The recommended network, or blend, after one walk in wide batches; it goes on in the usual ones."""
    import recsys_gru as rg

    if not blend:
        quick: dict[str, Any] = {**rg.RECOMMENDED, "n_epochs": 1, "batch_size": WIDE}
        model = rg.GRU4Rec(**quick).fit(log)
        model.set_params(batch_size=rg.RECOMMENDED["batch_size"])
        model.parameters_ = model.parameters()
        return model
    told: Any = rg.recommended().parameters()["models"]
    return rg.Blend([one | {"n_epochs": 1} if one["model"] == "GRU4Rec" else one for one in told]).fit(log)


def _each_once(log: "pl.DataFrame", items: int) -> "pl.DataFrame":
    """Sessions of ten clicks in which each item comes once, so that the catalogue has all of them."""
    import polars as pl

    session = log.height + pl.int_range(items) // 10
    step = HISTORY * 86_400 * 10**6 // items
    moment = DAY - timedelta(days=HISTORY) + pl.duration(microseconds=step * pl.int_range(items))
    return pl.select(session_id=session, item_id=pl.int_range(items), time=moment).cast(log.schema)


def settings_in(home: Path, register: bool) -> "Settings":
    """The settings of a project folder; but for the length of the training all as usual."""
    from pipelines.plumbing.settings import read_settings

    (home / "landing").mkdir(parents=True, exist_ok=True)
    file = home / "nightly.toml"
    usual = Path("pipelines/settings.toml").read_text(encoding="utf-8")
    text = usual.replace("n_epochs = 6", "n_epochs = 1").replace(
        "max_latency_ms = 250.0", "max_latency_ms = 5000.0"
    )
    text = text.replace("min_coverage = 0.0005", "min_coverage = 0.0")  # few lists, many items
    text = text.replace("against_nightly = 0.8", "against_nightly = 0.5")  # what is made up does not change
    text = text if register else text.replace("register = true", "register = false")
    file.write_text(text, encoding="utf-8")
    return read_settings(file)


def measured(home: Path, hours: list[int], threads: int | None) -> list[dict[str, float]]:
    """The seconds of each of some hours in a process of its own."""
    command = [sys.executable, "-c", ONE_SHOT, str(home), *map(str, hours)]
    alone = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    alone |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    rows: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def learned(home: str, hours: list[int], began: float) -> None:
    """Learn hours one by one, as the job that stays does; prints the seconds of each."""
    from pipelines.fresh.job import run_fresh
    from pipelines.fresh.stream import Memory
    from pipelines.plumbing.settings import read_settings
    from pipelines.plumbing.versions import current

    settings, memory, rows = read_settings(Path(home) / "nightly.toml"), Memory(), []
    imports = time.perf_counter() - began
    for hour in hours:
        moment, wall, processor = time.time(), time.perf_counter(), time.process_time()
        code = run_fresh(settings, DAY + timedelta(hours=hour + 1), memory)
        row = {"imports": imports, "job": time.perf_counter() - wall}
        row["processor"] = time.process_time() - processor
        version = current(settings)
        if code or version is None:
            raise SystemExit(f"the hour {hour} ended with exit code {code}")
        rows.append(row | {"published": (version.folder / "done.json").stat().st_mtime - moment})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
