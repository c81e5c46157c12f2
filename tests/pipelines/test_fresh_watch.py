"""The job that stays learns what single runs learn, survives what fails, and makes room for the night."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import polars as pl
import pytest

from pipelines.fresh import watch as watching
from pipelines.fresh.stream import Memory
from pipelines.fresh.tell import unbalanced
from pipelines.fresh.watch import end_on_terminate, watch
from pipelines.plumbing.errors import BAD_INPUT, DONE, LOCKED
from pipelines.plumbing.lock import holder, locked
from pipelines.plumbing.versions import current
from pipelines.status import page, status
from tests.forks import fork_server
from tests.pipelines.hours import (
    FRESH,
    HOURS,
    MODEL,
    at,
    copied,
    crown,
    fresh,
    land_one,
    landed,
    log,
    serving,
    weights,
)
from tests.pipelines.nights import Home, command


@pytest.fixture
def home(begun_day: Home, tmp_path: Path) -> Home:
    """A project with a champion and the landed periods of a day."""
    return copied(begun_day, tmp_path / "home")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the clock follow each other without a pause."""
    monkeypatch.setattr(watching, "LOOKS", 0.0)


class Hands:
    """A clock of given moments, with something to do at each; after the last one the job shall end."""

    def __init__(self, memory: Memory, *steps: tuple[datetime, Callable[[], object]]) -> None:
        self.memory, self.steps = memory, list(steps)

    def __call__(self) -> datetime:
        moment, work = self.steps.pop(0)
        work()
        if not self.steps:
            self.memory.ending = True
        return moment


def nothing() -> None:
    """What is done where only time passes."""


def ledger(home: Home) -> list[dict[str, object]]:
    """The rows, but for how long each took."""
    return [{name: row[name] for name in row if name != "seconds"} for row in serving(home).ledger()]


def stay(home: Home, *steps: tuple[datetime, Callable[[], object]], memory: Memory | None = None) -> None:
    """Have the job stay while the clock goes through these moments."""
    memory = memory or Memory()
    memory.ending = False
    assert watch(home.settings(), memory, Hands(memory, *steps, (steps[-1][0], nothing))) == DONE


def test_a_day_of_the_job_that_stays_is_that_of_single_runs(home: Home, whole_day: Home) -> None:
    memory, models, holders = Memory(), [], []

    def look() -> None:
        models.append(memory.stream and memory.stream.model)
        holders.append(holder(home.work))

    steps = [(at(hour) + timedelta(seconds=1), look) for hour in HOURS for _ in range(2)]
    assert watch(home.settings(), memory, Hands(memory, *steps, (at(24), look))) == DONE
    assert models[1] is not None
    assert all(model is models[1] for model in models[1:])  # it was never loaded again
    assert holders == [None] * len(holders)  # between its runs the night can work
    assert weights(home) == weights(whole_day)
    assert ledger(home) == ledger(whole_day)
    assert unbalanced(home.settings()) == []


def test_what_is_refused_or_junk_or_missing_is_learned_later_and_all_of_it(
    home: Home, whole_day: Home
) -> None:
    good, path = landed(home, at(6)), home.folder / "landing" / f"{at(6):%Y-%m-%dT%H}.parquet"
    path.unlink()
    told: list[str] = []

    def tell() -> None:
        told.append(page(status(home.settings())))

    def junk() -> None:
        land_one(home, at(6), good.with_columns(item_id=pl.lit(None, pl.Int64)))

    late = at(12) + timedelta(minutes=6)
    stay(home, (at(6), nothing), (at(12), nothing), (late, nothing), (late, junk), (late, tell))
    assert [row["period"] for row in serving(home).ledger()] == [f"{at(0):%Y-%m-%dT%H}"]
    assert "are unusable" in told[0]
    home.configure(model=MODEL, fresh={**FRESH, "against_before": 1000.0})
    memory = Memory()
    stay(home, (late, lambda: land_one(home, at(6), good)), memory=memory)
    assert "refused: beside the version before" in page(status(home.settings()))
    home.configure(model=MODEL, fresh=FRESH)
    stay(home, (at(18), nothing), (at(24), nothing), memory=memory)
    assert weights(home) == weights(whole_day)
    assert unbalanced(home.settings()) == []


def test_a_new_champion_and_another_jobs_version_are_noticed(home: Home) -> None:
    crowned: list[int] = []

    def night() -> None:
        crowned.append(crown(home.settings(), log().filter(pl.col("time") < at(0)), 0))

    def other() -> None:
        assert fresh(home, 18) == [DONE]

    stay(home, (at(6), nothing), (at(12), night), (at(18), other), (at(24), nothing))
    rows = serving(home).ledger()
    assert [row["base"] for row in rows] == [1] + [crowned[0]] * 4
    assert [row["period"] for row in rows[1:]] == [f"{at(hour - 6):%Y-%m-%dT%H}" for hour in HOURS]
    assert unbalanced(home.settings()) == []


def test_while_another_job_holds_the_lock_it_waits_and_learns_afterwards(home: Home) -> None:
    night = locked(home.work, "the night")
    stay(home, (at(6), night.__enter__), (at(6), nothing), (at(6), lambda: night.__exit__(None, None, None)))
    assert serving(home).until == at(6)


def test_the_command_stays_alone_and_a_daemon_thread_can_end_it(home: Home) -> None:
    both = ["fresh", "--watch", "--at", "2026-01-04T06:00", "--settings", str(home.file)]
    assert command(*both) == BAD_INPUT
    memory = Memory()
    threading.Timer(0.2, lambda: setattr(memory, "ending", True)).start()
    assert watch(home.settings(), memory, lambda: at(0)) == DONE
    assert current(home.settings()) is None


def stays(folder: Path) -> None:
    """The job that stays in a process of its own, until it is told to end; all periods are long past."""
    sys.stderr = (folder / "stderr.txt").open("a")
    memory = Memory()
    end_on_terminate(memory)
    os._exit(watch(Home(folder).settings(), memory))


def test_terminated_it_ends_between_two_periods(home: Home, whole_day: Home) -> None:
    process = fork_server().Process(target=stays, args=(home.folder,))
    process.start()
    assert process.pid is not None
    until = time.monotonic() + 300
    while current(home.settings()) is None and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    assert ended(process) == DONE, (home.folder / "stderr.txt").read_text()[-3000:]
    assert len(serving(home).ledger()) < len(HOURS)
    assert unbalanced(home.settings()) == []
    assert fresh(home, 24) == [DONE]
    assert weights(home) == weights(whole_day)


def once(folder: Path) -> None:
    """A single run that learns the day."""
    sys.stderr = (folder / "stderr.txt").open("a")
    os._exit(fresh(Home(folder), 24)[0])


def test_of_two_jobs_at_once_one_learns(home: Home, whole_day: Home) -> None:
    both = [fork_server().Process(target=once, args=(home.folder,)) for _ in range(2)]
    for process in both:
        process.start()
    assert {ended(process) for process in both} <= {DONE, LOCKED}
    assert fresh(home, 24) == [DONE]
    assert weights(home) == weights(whole_day)
    assert len(serving(home).ledger()) == len(HOURS)


def ended(process: BaseProcess) -> int | None:
    """How a process ended."""
    process.join(300)
    return process.exitcode
