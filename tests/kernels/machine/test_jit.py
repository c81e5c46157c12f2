"""What is kept on disk of compiled loops is of today's files."""

import os
import subprocess
import sys
from pathlib import Path

CALLEE = """
from recsys_gru.kernels.machine.jit import kernel

@kernel
def inner(x):
    return x + {}
"""
CALLER = """
from callee import inner
from recsys_gru.kernels.machine.jit import kernel

@kernel
def outer(x):
    return inner(x)
"""
RUN = "from caller import outer; print(outer(1), sum(outer.stats.cache_hits.values()))"
ROOT = Path(__file__).resolve().parents[3]


def run(folder: Path) -> list[int]:
    """The answer of a new process, and how often it took machine code from the disk."""
    folders = os.pathsep.join([str(folder), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": folders, "NUMBA_DISABLE_JIT": "0", "NUMBA_CACHE_DIR": ""}
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def test_a_loop_is_compiled_anew_when_what_it_calls_has_changed(tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "callee.py").write_text(CALLEE.format(1))
    assert run(tmp_path) == [2, 0]
    assert run(tmp_path) == [2, 1]
    (tmp_path / "callee.py").write_text(CALLEE.format(100))
    assert run(tmp_path) == [101, 0]
