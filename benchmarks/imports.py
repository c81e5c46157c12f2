"""What loading costs: `python -m benchmarks.imports [--repeats 9] [--json FILE]`.

The package with every public name loaded, beyond the libraries it stands on, loaded before in the same
process; the package alone, whose names load on first use; and the help of the command line in a process of
its own. Medians.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

PARTS = "numba, numpy, polars, psutil, rich.progress, safetensors.numpy, scipy.sparse, torch"
LOADING = f"""
import time
began = time.perf_counter()
import recsys_gru
alone = time.perf_counter()
import {PARTS}
parts = time.perf_counter()
for name in recsys_gru.__all__:
    getattr(recsys_gru, name)
print(alone - began, parts - alone, time.perf_counter() - parts)
"""
HELP = "import sys; from recsys_gru.cli import main; sys.argv = ['recsys-gru', '--help']; main()"


def main() -> None:
    """Print one line per figure; write them as JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[float]] = {}
    for turn in range(options.repeats + 1):
        for name, one in (loading() | {"help": help_seconds()}).items():
            if turn:  # the first one fills the disk cache
                found.setdefault(name, []).append(one)
    middle = {name: statistics.median(seconds) for name, seconds in found.items()}
    for name, seconds in found.items():
        print(f"{name:<34}{middle[name]:>7.3f} s   ({min(seconds):.3f} to {max(seconds):.3f})")
    if options.json:
        options.json.write_text(json.dumps([{"what": what, "seconds": s} for what, s in middle.items()]))


def loading() -> dict[str, float]:
    """Seconds of each stage of loading the package in a fresh process."""
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)
    names = ("package alone", "its parts", "every public name, beyond parts")
    return dict(zip(names, map(float, done.stdout.split()), strict=True))


def help_seconds() -> float:
    """Seconds of a whole process that prints the help of the command line."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", HELP], capture_output=True, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
