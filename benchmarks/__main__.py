"""Lists the measurements and runs those whose data are given.

    python -m benchmarks [--logs FOLDER] [--reference CHECKOUT] [--only NAME ...] [--list]

FOLDER holds bolcom, eshop2008 and retailrocket as Parquet, CHECKOUT the published PyTorch implementation.
What needs neither always runs. Each measurement is a process of its own; results go to --out, and the table
made of them to benchmarks/README.md.
"""

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Print every command, then run those whose data are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logs", type=Path, help="folder of real click logs")
    parser.add_argument("--reference", type=Path, help="checkout of the published implementation")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="folder for results")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these alone")
    parser.add_argument("--list", action="store_true", help="only say what would run")
    options = parser.parse_args()
    ready, waiting = planned(options.logs, options.reference, options.out)
    for script, needs in waiting.items():
        print(f"left out: benchmarks.{script}, which needs {needs}")
    if options.only:
        ready = {script: arguments for script, arguments in ready.items() if script in options.only}
    for script, arguments in ready.items():
        print(f"python -m benchmarks.{script} {' '.join(arguments)}", flush=True)
    for script, arguments in {} if options.list else ready.items():
        print(f"\n{script}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{script}", *arguments], check=True)
    if ready and not options.list:
        subprocess.run([sys.executable, "-m", "benchmarks.report", str(options.out)], check=True)


def planned(
    logs: Path | None, reference: Path | None, out: Path
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The arguments of each script that can run, and what each other one needs."""
    out.mkdir(parents=True, exist_ok=True)
    ready: dict[str, list[str]] = {
        "tracking": [],
        "clicks": ["1", "10", "--folder", str(out / "clicks"), "--out", str(out / "clicks.json")],
        "recommend": ["--json", str(out / "recommend.json")],
        "imports": ["--json", str(out / "imports.json")],
        "scaling": ["--json", str(out / "scaling.json"), "--plot", str(out / "scaling.png")],
    }
    waiting: dict[str, str] = {}
    if logs is None:
        waiting |= dict.fromkeys(("cells", "warm_start", "baselines"), "--logs")
    else:
        ready["cells"] = [str(logs / "bolcom.parquet"), "--out", str(out / "cells.ndjson")]
        ready["warm_start"] = [str(logs / "bolcom.parquet")]
        ready["baselines"] = [str(logs), "--work", str(out / "baselines")]
    if logs is None or reference is None:
        waiting |= dict.fromkeys(("training", "busy", "evaluation", "recall"), "--logs and --reference")
    else:
        log, beside = str(logs / "retailrocket.parquet"), ["--reference", str(reference)]
        ready["training"] = [log, *beside, "--sessions", "4000", "--json", str(out / "training.json")]
        ready["busy"] = [log, *beside, "--json", str(out / "busy.json")]
        ready["evaluation"] = [log, *beside, "--json", str(out / "evaluation.json")]
        ready["recall"] = [str(logs), *beside, "--json", str(out / "recall.json")]
    return ready, waiting


if __name__ == "__main__":
    main()
