"""A command gives the network a thread for each core unless told otherwise."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Call
from tests.tracking.helpers import runs_of

CALL = (sys.executable, "-c", "from recsys_gru.cli import main; main()", "fit")
DEFAULT = (sys.executable, "-c", "import torch; print(torch.get_num_threads())")


@pytest.mark.slow
@pytest.mark.parametrize("asked", [None, "1"])
def test_the_threads_of_a_fit_are_those_asked_for_or_all(
    asked: str | None, log: Path, template: Path, tmp_path: Path
) -> None:
    shutil.copytree(template, tmp_path / "mlruns")
    surroundings = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    given = () if asked is None else ("--threads", asked)
    subprocess.run([*CALL, str(log), *SMALL, *given], cwd=tmp_path, env=surroundings, check=True)
    threads = runs_of(tmp_path / "mlruns")["GRU4Rec"].data.tags["machine.threads"]
    if asked is None:
        every = subprocess.run(DEFAULT, env=surroundings, check=True, capture_output=True, text=True)
        asked = every.stdout.strip()
    assert threads == asked


def test_no_thread_at_all_is_refused(refused: Call, log: Path) -> None:
    assert "--threads" in refused("fit", log, "--threads", "0")
