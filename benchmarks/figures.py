"""Figures that a benchmark keeps as lines of JSON, so that one that was cut off goes on where it stood."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]


def asked_of(says: str | None, logs: Sequence[str], out: Path) -> argparse.Namespace:
    """What is asked for on the command line: folder, logs, seeds, and the file of the figures."""
    parser = argparse.ArgumentParser(description=says, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--logs", nargs="*", default=logs)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=out)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    return asked


def known(path: Path) -> list[Row]:
    """The figures that are there already."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(path: Path, row: Row) -> None:
    """Tell a figure and write it behind the others."""
    print(row, flush=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
