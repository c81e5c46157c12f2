"""Writes benchmarks/README.md from the JSON that the scripts left: `python -m benchmarks.report FOLDER`."""

import datetime
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recsys_gru.kernels.machine.simd import WIDTH

Row = dict[str, Any]
Line = tuple[str, str, str, str, float, str]
"""What, threads, ours, peer, ratio, what must be reached."""
README = Path(__file__).with_name("README.md")
GOALS = {
    "cross-entropy 100/32": "3 (goal 5)",
    "bpr-max 224/80": "2.5 (goal 4)",
    "cross-entropy 480/48": "2 (goal 3)",
}
HEAD = """# Measured

Made by `make bench`; each ratio is taken in one run, both sides with the same data, threads and parameters,
by turns, medians. The scripts beside this file say how: training on the oldest 4,000 sessions of
retailrocket, evaluation on its last 28 days. GEMM is the fastest product of torch and NumPy. The machine is
named at the end; figures of older processors are in [epyc4.md](epyc4.md) and [epyc1.md](epyc1.md).

| what | threads | ours | peer | ratio | at least |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Write the page from every result in the folder."""
    folder = Path(sys.argv[1])
    lines: list[Line] = []
    for name, read in READERS.items():
        file = folder / f"{name}.json"
        if file.exists():
            lines += read(json.loads(file.read_text()))
    text = HEAD
    for what, threads, ours, peer, ratio, goal in lines:
        text += f"| {what} | {threads} | {ours} | {peer} | {ratio:.2f} | {goal} |\n"
    README.write_text(text + f"\n{machine()}\n")
    print(text)


def training(rows: list[Row]) -> Iterator[Line]:
    """Faithful and fast mode, share of GEMM, memory."""
    for row in rows:
        threads, reference = str(row["threads"]), row["reference"]
        fast = "5 (goal 10)" if "100" in row["case"] else ""
        for mode, goal in (("faithful", GOALS[row["case"]]), ("fast", fast)):
            what, ours, peer = (
                f"training, {row['case']}, {mode}, events/s",
                f"{row[mode]:,.0f}",
                f"{reference:,.0f}",
            )
            yield what, threads, ours, peer, row[mode] / reference, goal
        for mode, share in row["gemm_share"].items():
            goal = "0.40 (goal 0.60)" if mode == "fast" and "480" in row["case"] else ""
            yield f"share of GEMM speed, {row['case']}, {mode}", threads, "", "", share, goal
        ours, theirs, what = row["faithful_mb"], row["reference_mb"], f"peak memory, {row['case']}, MB"
        yield what, threads, f"{ours:,.0f}", f"{theirs:,.0f}", ours / theirs, "0.7 at most (goal 0.5)"


def recall(rows: list[Row]) -> Iterator[Line]:
    """What is learned in equal epochs, means over seeds."""
    reference = {row["log"]: row for row in rows if row["side"] == "reference"}
    for row in rows:
        if row["side"] == "reference" or row["log"] not in reference:
            continue
        peer = reference[row["log"]]
        for name, measure in (("recall", "recall@20"), ("mrr", "MRR@20")):
            what = f"{measure} on {row['log']}, 5 epochs, {len(row['seeds'])} seeds, {row['side']}"
            ours, theirs = (f"{one[name]:.4f} ± {one[f'{name}_error']:.4f}" for one in (row, peer))
            yield what, "1", ours, theirs, row[name] / peer[name], "1"


def busy(rows: list[Row]) -> Iterator[Line]:
    """Training while other programs hold cores."""
    for row in rows:
        what = f"the same, faithful, {row['others']} other programs beside, events/s"
        ours, peer = f"{row['ours']:,.0f}", f"{row['reference']:,.0f}"
        yield what, str(row["threads"]), ours, peer, row["ours"] / row["reference"], "3 (goal 5)"


def evaluation(rows: list[Row]) -> Iterator[Line]:
    """Full ranking."""
    for row in rows:
        what, ours, peer = f"evaluation over {row['items']:,} items, events/s", row["ours"], row["reference"]
        yield what, str(row["threads"]), f"{ours:,.0f}", f"{peer:,.0f}", ours / peer, "4 (goal 6)"


def recommend(rows: list[Row]) -> Iterator[Line]:
    """One session against reading the table once, many against a bare product."""
    for row in rows:
        if row["what"] == "many sessions":
            ours, bare, what = (
                row["gflops"],
                row["gemm_gflops"],
                "recommend, a batch over 50,000 items, GFLOP/s",
            )
            yield (
                what,
                str(row["threads"]),
                f"{ours:.0f}",
                f"{bare:.0f} (product)",
                ours / bare,
                "0.5 (goal 1)",
            )
            continue
        for name, goal in (("p50", "2 at most (goal 1.3)"), ("p99", "4 at most")):
            ours, read = row[f"{name}_ms"], row["read_ms"]
            what = f"recommend, one session, {row['items']:,} items, {name}, ms"
            yield what, "1", f"{ours:.2f}", f"{read:.2f} (table read)", ours / read, goal


def clicks(found: dict[str, Any]) -> Iterator[Line]:
    """Clicks to packed sessions."""
    threads = str(found["versions"]["threads"])
    pandas = {
        row["log"]: f"{row['clicks_per_second']:,} (pandas)"
        for row in found["runs"]
        if row["way"] == "in_pandas"
    }
    for row in found["runs"]:
        if row["log"] in pandas and row["way"] != "in_pandas":
            what = f"{row['clicks']:,} clicks to packed sessions, {row['way'].replace('_', ' ')}, clicks/s"
            ours, ratio = f"{row['clicks_per_second']:,}", row["times_as_fast_as_pandas"]
            yield what, threads, ours, pandas[row["log"]], ratio, "3 (goal 10)"


def imports(rows: list[Row]) -> Iterator[Line]:
    """Seconds of loading."""
    for row in rows:
        goal = {"every public name, beyond parts": "0.5 s at most", "help": "0.7 s at most"}.get(
            row["what"], ""
        )
        yield f"loading: {row['what']}, s", "", f"{row['seconds']:.2f}", "", row["seconds"], goal


READERS: dict[str, Callable[[Any], Iterator[Line]]] = {
    "training": training,
    "busy": busy,
    "recall": recall,
    "evaluation": evaluation,
    "recommend": recommend,
    "clicks": clicks,
    "imports": imports,
}


def machine() -> str:
    """The date, the processor and the versions that the figures depend on."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    cpu = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "numba", "numpy", "polars"))
    vectors = f"vectors of {WIDTH} numbers"
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return (
        f"{today}, {cpu}, {vectors}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}."
    )


if __name__ == "__main__":
    main()
