"""Killed at random points, a day of updates that is run to its end has learned every click once."""

import os
import random
import shutil
import sys
from multiprocessing.context import ForkServerContext as ForkServer
from pathlib import Path

from pipelines.fresh.tell import unbalanced
from pipelines.plumbing.errors import DONE
from pipelines.stages.champion import registry_of
from tests.forks import fork_server
from tests.pipelines.hours import HOURS, at, copied, fresh, landed, prepared, registered, serving, weights
from tests.pipelines.nights import Home
from tests.pipelines.test_killed import TOUCHES

KILLS, SEED = int(os.environ.get("FRESH_KILLS", "8")), int(os.environ.get("FRESH_SEED", "8"))


def day_of_updates(folder: Path, touches: int) -> None:
    """The day's updates in a process of its own; with ``touches`` it dies at that touch of a file."""
    sys.stderr = (folder / "stderr.txt").open("a")
    left = [touches]

    def hook(event: str, _: object) -> None:
        if event in TOUCHES:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), 9)

    sys.addaudithook(hook)
    codes = fresh(Home(folder), *HOURS)
    if not touches:
        (folder / "touches").write_text(str(-left[0]))
    os._exit(max(codes))


def run(server: ForkServer, home: Home, touches: int = 0) -> int | None:
    """The exit code of the day's updates; -9 if they were killed."""
    process = server.Process(target=day_of_updates, args=(home.folder, touches))
    process.start()
    process.join(300)
    code = process.exitcode
    process.close()
    return code


def counted(home: Home) -> list[tuple[int, int]]:
    """What landed in each period, counted by the test itself, beside what the ledger says was learned."""
    rows = {row["start"]: row["learned"] for row in serving(home).ledger()}
    assert len(rows) == len(serving(home).ledger()) == len(HOURS)
    starts = [at(hour - 6) for hour in HOURS]
    return [(landed(home, start).height, rows[start.isoformat()]) for start in starts]


def test_a_day_that_is_killed_again_and_again_learns_each_click_once(tmp_path: Path, template: Path) -> None:
    server = fork_server()
    ready = prepared(tmp_path / "ready", template, rare=4000, register=True)
    undisturbed = copied(ready, tmp_path / "undisturbed")
    assert run(server, undisturbed) == DONE
    assert (serving(undisturbed).model / "changes.safetensors").exists()  # versions hang on one another
    touches = int((undisturbed.folder / "touches").read_text())
    chance = random.Random(SEED)
    killed = 0
    while killed < KILLS:
        home = copied(ready, tmp_path / "killed")
        code: int | None = -9
        while code == -9 and killed < KILLS:  # early in what is left: each run goes a little further
            code = run(server, home, chance.randrange(1, touches // 2))
            killed += code == -9
        code = run(server, home) if code == -9 else code
        assert code == DONE, (home.folder / "stderr.txt").read_text()[-3000:]
        assert [came for came, _ in counted(home)] == [learned for _, learned in counted(home)]
        assert unbalanced(home.settings()) == []
        assert weights(home) == weights(undisturbed)
        assert clicks(home) == clicks(undisturbed)
        assert told(home) == told(undisturbed)
        shutil.rmtree(home.folder)


def told(home: Home) -> tuple[str, list[str], int]:
    """What the registry has: whose alias it is, the fresh versions, and how many models have files."""
    alias = registry_of(home.settings()).version_of("fresh")
    assert alias is not None
    models = [path for path in (home.mlruns / "artifacts" / "models").iterdir() if any(path.iterdir())]
    found = registered(home)
    return found[alias], sorted(found.values()), len(models)


def clicks(home: Home) -> list[bytes]:
    """The bytes of the store."""
    return [path.read_bytes() for path in sorted((home.work / "clicks").rglob("clicks.parquet"))]
