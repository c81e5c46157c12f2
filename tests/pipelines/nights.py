"""A project folder with landed clicks and small settings, and ways to look at what came of a night."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mlflow.entities import Run

from pipelines import nightly
from pipelines.command_line import main
from pipelines.plumbing.settings import Settings, read_settings
from pipelines.plumbing.workshop import results
from pipelines.stages.ingest import ingest
from recsys_gru import generate_clicks
from recsys_gru.tracking.delivery import connect, store_at

FIRST, DAY = date(2026, 1, 1), date(2026, 1, 4)
SMALL: dict[str, dict[str, object]] = {
    "work": {"folder": "work"},
    "input": {"path": "landing/{day}.parquet"},
    "window": {"days": 3, "min_support": 2},
    "model": {
        "class": "GRU4Rec", "layers": [16], "batch_size": 16, "n_sample": 32,
        "n_epochs": 3, "logq": 1.0, "learning_rate": 0.1, "seed": 1,
    },
    "train": {"checkpoint_every": 10},
    "evaluate": {"baselines": ["Popularity"], "latency_requests": 5, "page": False},
    "gate": {"max_latency_ms": 60000.0, "max_unknown": 1.0, "resamples": 200, "margin": 0.5},
    "tracking": {"where": "mlruns"},
    "schedule": {"first_day": FIRST, "retries": 1, "retry_seconds": 0},
    "advise": {"windows": [1, 2], "days": 1},
}  # fmt: skip
SMALL_GATE: dict[str, object] = {"max_latency_ms": 60000.0, "max_unknown": 1.0, "resamples": 200}


def command(*words: str) -> int:
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@dataclass(frozen=True)
class Home:
    """A folder with landing/, nightly.toml, work/ and mlruns/."""

    folder: Path

    @property
    def mlruns(self) -> Path:
        """The MLflow store."""
        return self.folder / "mlruns"

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.folder / "nightly.toml"

    @property
    def work(self) -> Path:
        """What the nights make."""
        return self.folder / "work"

    def configure(self, usual: Sequence[str] = (), **changes: dict[str, object]) -> Settings:
        """Write the small settings with changes of single keys, and read them.

        The sections named in ``usual`` stay as the default file has them.
        """
        small = {name: {} if name in usual else keys for name, keys in SMALL.items()}
        sections = {name: {**small.get(name, {}), **changes.get(name, {})} for name in SMALL | changes}
        lines = []
        for name, keys in sections.items():
            lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in keys.items())]
        self.file.write_text("\n".join(lines))
        return read_settings(self.file)

    def settings(self) -> Settings:
        """The settings as the file has them."""
        return read_settings(self.file)

    def land(self, day: date, clicks: pl.DataFrame) -> Path:
        """Deliver a day's clicks."""
        path = self.folder / "landing" / f"{day}.parquet"
        path.parent.mkdir(exist_ok=True)
        clicks.write_parquet(path)
        return path

    def land_generated(self, days: int = 6) -> None:
        """Deliver a made-up log, day by day."""
        log = generate_clicks(n_sessions=150 * days, n_items=80, days=days, seed=3)
        for (day,), part in log.group_by(pl.col("time").dt.date(), maintain_order=True):
            self.land(date.fromisoformat(str(day)), part)

    def take_in_before(self, day: date = DAY) -> None:
        """Take in the days before."""
        for step in range((day - FIRST).days):
            ingest(FIRST + timedelta(days=step), self.settings())

    def run(self, day: date = DAY) -> int:
        """Run a night; returns its exit code."""
        return nightly.run_night(day, self.settings())

    def copied_to(self, place: Path) -> "Home":
        """A project in the same state, whose store knows where it lies now."""
        beside = shutil.ignore_patterns("mlflow.db*")
        made = Home(Path(shutil.copytree(self.folder, place, ignore=beside, dirs_exist_ok=True)))
        _copy_store(self.mlruns / "mlflow.db", made.mlruns / "mlflow.db", str(self.folder), str(place))
        return made

    def decision(self, day: date = DAY) -> dict[str, Any]:
        """The newest decision of a day."""
        return results(self.settings(), day, "promote")[-1].facts

    def failure(self, day: date = DAY) -> dict[str, Any]:
        """What was noted of a day's failure."""
        found: dict[str, Any] = json.loads((self.work / "days" / str(day) / nightly.FAILURE).read_text())
        return found

    def digests(self) -> dict[str, str]:
        """Every Parquet file and every weight by its path under work/, with its SHA-256."""
        kinds = (".parquet", ".safetensors")
        paths = sorted(path for path in self.work.rglob("*") if path.suffix in kinds)
        return {
            str(path.relative_to(self.work)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
        }

    def runs(self, day: date = DAY) -> list[str]:
        """The status of each MLflow run of a day."""
        return [str(run.info.status) for run in self._runs(day)]

    def kept(self, day: date = DAY) -> set[str]:
        """The names of the files with the only run of a day."""
        (run,) = self._runs(day)
        return {
            Path(file.path).name for file in connect(store_at(self.mlruns)).list_artifacts(run.info.run_id)
        }

    def lists(self, kind: str) -> pl.DataFrame:
        """What was published."""
        return pl.read_parquet(self.work / "recommendations" / kind, hive_partitioning=True)

    def _runs(self, day: date) -> list[Run]:
        client = connect(store_at(self.mlruns))
        experiment = client.get_experiment_by_name("nightly")
        assert experiment is not None
        return list(client.search_runs([experiment.experiment_id], f"tags.day = '{day}'"))


def begun(template: Path, folder: Path) -> Home:
    """A project on a copy of this store, with a made-up log of six days from 2026-01-01 on."""
    made = Home(folder)
    shutil.copytree(template, made.mlruns)
    made.land_generated()
    made.configure()
    return made


def _copy_store(source: Path, target: Path, old: str, new: str) -> None:
    """Copy a database, with another folder in every text that names the old one."""
    with closing(sqlite3.connect(source)) as before, closing(sqlite3.connect(target)) as after:
        before.backup(after)
        tables = [name for (name,) in after.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in after.execute(f"PRAGMA table_info('{table}')").fetchall():
                if kind == "TEXT" or "CHAR" in kind:
                    change = f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)'  # noqa: S608
                    after.execute(f'{change} WHERE instr("{column}", ?)', (old, new, old))
        after.commit()


def _toml(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_toml(entry)}' for key, entry in value.items())}}}"
    return json.dumps(value)
