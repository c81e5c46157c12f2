"""One side of a comparison, in a process of its own."""

import json
import subprocess
import sys


def run_side(script: str, *words: object) -> dict[str, float]:
    """Run a script of this folder; the last line that it prints is what it found, as JSON."""
    command = [sys.executable, "-m", f"benchmarks.{script}", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))
