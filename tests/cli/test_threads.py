"""A command gives the network one thread unless told otherwise; the library leaves torch alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Call
from tests.tracking.helpers import runs_of

CALL = (sys.executable, "-c", "from recsys_gru.cli import main; main()", "fit")


@pytest.mark.slow
@pytest.mark.parametrize(("given", "threads"), [((), "1"), (("--threads", "2"), "2")])
def test_the_threads_of_a_fit_are_those_asked_for(
    given: tuple[str, ...], threads: str, log: Path, tmp_path: Path
) -> None:
    surroundings = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run([*CALL, str(log), *SMALL, *given], cwd=tmp_path, env=surroundings, check=True)
    assert runs_of(tmp_path / "mlruns")["GRU4Rec"].data.tags["machine.threads"] == threads


def test_no_thread_at_all_is_refused(refused: Call, log: Path) -> None:
    assert "--threads" in refused("fit", log, "--threads", "0")
