"""Killed at random points, a night that is run again ends as if nothing had happened."""

import os
import random
import shutil
import sys
import time
from multiprocessing.context import ForkServerContext as ForkServer
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from pipelines.plumbing.errors import DONE, LOCKED
from tests.forks import fork_server
from tests.pipelines.nights import DAY, Home

pytestmark = pytest.mark.slow
KILLS, KILLS_A_HOME = 30, 10
TOUCHES = ("open", "os.rename", "os.mkdir", "os.remove", "shutil.rmtree", "sqlite3.connect")


def night(folder: Path, touches: int) -> None:
    """A whole night in a process of its own; with ``touches`` it dies at that touch of a file."""
    sys.stderr = (folder / "stderr.txt").open("a")
    left = [touches]

    def hook(event: str, _: object) -> None:
        if event in TOUCHES:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), 9)

    if touches:
        sys.addaudithook(hook)
    else:
        counted = [0]
        sys.addaudithook(lambda event, _: counted.__setitem__(0, counted[0] + (event in TOUCHES)))
    code = Home(folder).run(DAY)
    if not touches:
        (folder / "touches").write_text(str(counted[0]))
    os._exit(code)


@pytest.fixture(scope="module")
def server() -> ForkServer:
    """Starts nights."""
    return fork_server()


def start(server: ForkServer, home: Home, touches: int = 0) -> BaseProcess:
    """Begin a night."""
    process = server.Process(target=night, args=(home.folder, touches))
    process.start()
    return process


def finish(process: BaseProcess) -> int | None:
    """Wait for a night's exit code."""
    process.join(120)
    code = process.exitcode
    process.close()
    return code


def copy_of(home: Home, place: Path) -> Home:
    """A project in the same state."""
    return Home(Path(shutil.copytree(home.folder, place)))


def test_thirty_kills_leave_the_same_bytes_and_one_finished_run(
    ready: Home,
    tmp_path_factory: pytest.TempPathFactory,
    server: ForkServer,
) -> None:
    place = tmp_path_factory.mktemp("killed")
    undisturbed = copy_of(ready, place / "undisturbed")
    assert finish(start(server, undisturbed)) == DONE
    began = time.monotonic()
    assert finish(start(server, copy_of(ready, place / "timed"))) == DONE
    seconds = time.monotonic() - began
    touches = int((undisturbed.folder / "touches").read_text())
    expected = undisturbed.digests()
    assert any(name.endswith(".safetensors") for name in expected)
    assert any(name.startswith("recommendations/") for name in expected)
    chance = random.Random(8)
    killed = 0
    for number in range(KILLS):
        if killed >= KILLS:
            break
        home = copy_of(ready, place / str(number))
        for _ in range(KILLS_A_HOME):
            killed += kill_once(server, home, chance, seconds, touches)
        assert finish(start(server, home)) == DONE, (home.folder / "stderr.txt").read_text()[-3000:]
        assert home.digests() == expected
        assert home.runs() == ["FINISHED"]
        shutil.rmtree(home.folder)
    assert killed >= KILLS


def kill_once(
    server: ForkServer,
    home: Home,
    chance: random.Random,
    seconds: float,
    touches: int,
) -> bool:
    """Kill a night after a random time, or at a random touch of a file; False if it was over before."""
    if chance.random() < 0.5:
        return finish(start(server, home, chance.randrange(1, touches))) == -9
    process = start(server, home)
    process.join(chance.random() * seconds)
    process.kill()
    return finish(process) == -9


def test_a_second_night_is_turned_away_and_a_killed_holder_leaves_no_lock(
    ready: Home, server: ForkServer
) -> None:
    first = start(server, ready)
    while not (ready.work / "log" / f"{DAY}.jsonl").exists():
        time.sleep(0.001)
    assert ready.run() == LOCKED
    first.kill()
    assert finish(first) == -9
    assert ready.run() == DONE
