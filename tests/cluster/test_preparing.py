"""A log prepared by workers: the files of one process, whoever is killed on the way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.cli import main
from recsys_gru.cluster import Ray
from recsys_gru.engines import Result, Task
from recsys_gru.errors import ClickLogError, ParameterError
from tests.serving.running import wait_for

RECIPE = rg.Recipe(collapse=True, max_length=20)
ROWS = 500
DRIVER = """
import os, sys
import recsys_gru as rg
from recsys_gru.cluster import Ray
def tell(stage, done, total):
    if (stage, done) == ("check", 2):
        os.kill(os.getpid(), 9)
with Ray() as engine:
    log = rg.read_clicks(sys.argv[1])
    recipe = rg.Recipe(collapse=True, max_length=20)
    rg.prepare(log, sys.argv[2], recipe, rows_per_bucket=500, on_progress=tell, engine=engine)
"""


def made_up(seed: int, *, bad: bool = True) -> pl.DataFrame:
    """A log with repeats, and rows that cannot be read."""
    log = rg.generate_clicks(500, 60, days=5, seed=seed, text_ids=True)
    hole = log.tail(9).with_columns(pl.lit(None, log["item_id"].dtype).alias("item_id"))
    return pl.concat([log, log.head(40), hole]) if bad else log


def files(folder: Path) -> dict[str, bytes]:
    """Every file by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in a file."""
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    made_up(1).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def alone(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of it."""
    folder = tmp_path_factory.mktemp("alone") / "log"
    rg.prepare(rg.read_clicks(log), folder, RECIPE, rows_per_bucket=ROWS)
    return folder


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_makes_the_same_bytes(
    log: Path, alone: Path, tmp_path: Path, workers: int
) -> None:
    with Ray(workers=workers) as engine:
        rg.prepare(rg.read_clicks(log), tmp_path / "log", RECIPE, rows_per_bucket=ROWS, engine=engine)
    assert len(files(alone)) > 15
    assert files(tmp_path / "log") == files(alone)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("rows", [170, 100_000])
def test_any_number_of_buckets_makes_the_same_parts_and_ledger(
    log: Path, alone: Path, tmp_path: Path, rows: int
) -> None:
    rg.prepare(rg.read_clicks(log), tmp_path / "log", RECIPE, rows_per_bucket=rows, engine="ray")
    found, expected = files(tmp_path / "log"), files(alone)
    whole = [name for name in expected if not name.startswith(("quarantine", "prepared"))]
    assert len(whole) > 10
    assert [found[name] for name in whole] == [expected[name] for name in whole]
    assert quarantine(tmp_path / "log").equals(quarantine(alone))


def quarantine(folder: Path) -> pl.DataFrame:
    """Every rejected row in an order that the buckets do not decide."""
    tables = [pl.read_parquet(path) for path in (folder / "quarantine").glob("*.parquet")]
    return pl.concat(tables, how="diagonal").sort(pl.all(), nulls_last=True)


@dataclass(frozen=True)
class Deadly:
    """The same engine, on which the first worker that writes a file of some name is killed while it does."""

    engine: Ray
    name: str
    mark: Path
    lasting = True

    @property
    def workers(self) -> int:
        return self.engine.workers

    @property
    def parts(self) -> int:
        return self.engine.parts

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return self.engine.map(partial(deadly, function, self.name, self.mark), tasks)

    def lend(self, model: rg.Recommender) -> Callable[[], rg.Recommender]:
        return self.engine.lend(model)


def deadly(function: Callable[[Task], Result], name: str, mark: Path, task: Task) -> Result:
    """The function, in a process that is killed where it opens a file of that name, if none was yet."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(f"/{name}") and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return function(task)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("name", ["sizes.npy", "by_item.npy"])
def test_a_worker_killed_in_the_middle_of_a_bucket_changes_nothing(
    log: Path, alone: Path, tmp_path: Path, name: str
) -> None:
    with Ray() as engine:
        deadly_one = Deadly(engine, name, tmp_path / "killed")
        clicks = rg.read_clicks(log)
        rg.prepare(clicks, tmp_path / "log", RECIPE, rows_per_bucket=ROWS, engine=deadly_one)
    assert (tmp_path / "killed").exists()
    assert files(tmp_path / "log") == files(alone)


@pytest.fixture(scope="module")
def killed(cluster: str, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a program that was killed after two buckets left."""
    folder = tmp_path_factory.mktemp("killed")
    call = [sys.executable, "-c", DRIVER, str(log), str(folder / "log")]
    surroundings = {**os.environ, "RAY_ADDRESS": cluster}
    done = subprocess.run(call, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    wait_for(partial(is_still, folder))  # its workers outlive it by a moment
    return folder / "log.partial"


def is_still(folder: Path) -> bool:
    """Whether nothing was written for half a second."""
    try:
        before = files(folder)
        time.sleep(0.5)
        return files(folder) == before
    except OSError:  # it went while it was read
        return False


def test_a_killed_program_goes_on(killed: Path, log: Path, alone: Path, tmp_path: Path) -> None:
    left = shutil.copytree(killed, tmp_path / "log.partial")
    first = {number: when for number in range(9) if (when := written(left, number))}
    assert len(first) >= 2
    met: dict[int, int] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if stage == "check" and done == total:
            met.update({number: written(left, number) for number in first})

    clicks = rg.read_clicks(log)
    rg.prepare(clicks, tmp_path / "log", RECIPE, rows_per_bucket=ROWS, on_progress=tell, engine="ray")
    assert met == first, "buckets that were done are not done again"
    assert files(tmp_path / "log") == files(alone)


def written(folder: Path, bucket: int) -> int:
    """When a bucket was written, 0 where it was not."""
    path = folder / "work" / f"bucket-{bucket}" / "items.npy"
    return path.stat().st_mtime_ns if path.exists() else 0


def test_what_a_killed_program_left_of_another_log_is_not_used(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "log.partial")
    other = made_up(2)
    rg.prepare(other, tmp_path / "expected", RECIPE, rows_per_bucket=ROWS)
    rg.prepare(other, tmp_path / "log", RECIPE, rows_per_bucket=ROWS, engine="ray")
    assert files(tmp_path / "log") == files(tmp_path / "expected")


@pytest.mark.usefixtures("cluster")
def test_the_command_line_takes_the_engine(log: Path, tmp_path: Path) -> None:
    for engine in ("local", "ray"):
        with pytest.raises(SystemExit) as ended:
            main(["prepare", str(log), "--out", str(tmp_path / engine), "--engine", engine])
        assert not ended.value.code
    assert files(tmp_path / "ray") == files(tmp_path / "local")


@pytest.mark.usefixtures("cluster")
def test_an_error_of_a_worker_is_that_of_one_process(tmp_path: Path) -> None:
    bad = pl.DataFrame({"session_id": [1, 2], "item_id": [1, 2], "time": ["soon", "later"]})
    with pytest.raises(ClickLogError, match="every row broke a rule"):
        rg.prepare(rg.read_clicks(bad), tmp_path / "log", engine="ray")
    path = tmp_path / "log.parquet"
    made_up(3, bad=False).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[2_000:6_000] = bytes(4_000)
    path.write_bytes(content)
    with pytest.raises(ClickLogError, match="cannot be read to its end"):
        rg.prepare(rg.read_clicks(path), tmp_path / "log", engine="ray")
    assert [file.name for file in tmp_path.iterdir()] == ["log.parquet"]


def test_without_ray_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParameterError, match=r"pip install 'recsys-gru\[cluster\]'"):
        rg.prepare(made_up(1), tmp_path / "log", engine="ray")


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"local, ray, or an engine, got 'spark'"):
        rg.prepare(made_up(1), tmp_path / "log", engine="spark")
