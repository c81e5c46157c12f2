"""The numbers for monitoring: a file in Prometheus' text format, for node_exporter's textfile collector."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from .plumbing.errors import DONE, REFUSED
from .plumbing.settings import Settings
from .plumbing.workshop import Done, days, results, write_whole

NAME = "recsys_gru.prom"
LAST_GOOD = "recsys_gru_last_success_timestamp_seconds"
HELP = {
    "recsys_gru_last_run_timestamp_seconds": "when a night or a stage ended last",
    LAST_GOOD: "when one ended last with exit code 0 or 1 (the gate refused)",
    "recsys_gru_last_exit_code": "exit code of the last: 0 done, 1 refused, 2 bad input, 3 failed",
    "recsys_gru_decided_day_timestamp_seconds": "the newest day the gate has decided on; its midnight, UTC",
    "recsys_gru_promoted": "1 if the challenger of that day was promoted",
    "recsys_gru_version": "version of the model by role",
    "recsys_gru_champion_age_days": "days between that day and the one whose model serves after it",
    "recsys_gru_recall": "recall on that day by model and cut-off",
    "recsys_gru_mrr": "mean reciprocal rank likewise",
    "recsys_gru_stage_seconds": "seconds that each stage of that day took",
}
"""Every metric of the nights and what it means; all are gauges."""
Sample = tuple[str, dict[str, str], float]


def write_metrics(day: date, settings: Settings, code: int) -> None:
    """Write the file anew, whole, after a night or a stage has ended with an exit code."""
    path, now = metrics_file(settings), time.time()
    good = now if code in (DONE, REFUSED) else last_good(path, LAST_GOOD)
    samples: list[Sample] = [
        ("recsys_gru_last_run_timestamp_seconds", {"day": day.isoformat()}, now),
        ("recsys_gru_last_exit_code", {}, code),
    ]
    if good is not None:
        samples.append((LAST_GOOD, {}, good))
    write_samples(path, HELP, [*samples, *_of_nights(settings)])


def metrics_file(settings: Settings, name: str = NAME) -> Path:
    """Where the metrics of the nights are, or others."""
    return settings.work.folder / "metrics" / name


def write_samples(path: Path, names: Mapping[str, str], samples: Sequence[Sample]) -> None:
    """Write a file of metrics, whole.

    Args:
        names: every metric and what it means.
    """
    write_whole(path, _text(names, samples))
    path.chmod(0o644)  # its reader is another user


def last_good(path: Path, name: str) -> float | None:
    """When a run had ended well, as a file said until now by a metric of this name."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), None)


def _of_nights(settings: Settings) -> Iterator[Sample]:
    """What the newest decided day tells."""
    for day in reversed(days(settings)):
        done = {one.stage: one for one in results(settings, day)}
        if "promote" in done:
            yield from _of_day(day, done, settings)
            return


def _of_day(day: date, done: dict[str, Done], settings: Settings) -> Iterator[Sample]:
    decided, midnight = done["promote"].facts, datetime(day.year, day.month, day.day, tzinfo=UTC)
    yield "recsys_gru_decided_day_timestamp_seconds", {}, midnight.timestamp()
    yield "recsys_gru_promoted", {}, float(decided["promoted"])
    for role, key in (("challenger", "version"), ("champion", "serving")):
        if decided[key] is not None:
            yield "recsys_gru_version", {"role": role}, decided[key]
    since = _day_of_version(decided["serving"], settings)
    if since is not None:
        yield "recsys_gru_champion_age_days", {}, (day - since).days
    for one in done.values():
        yield "recsys_gru_stage_seconds", {"stage": one.stage}, one.seconds
    for model in ("challenger", "champion") if "evaluate" in done else ():
        for name, value in done["evaluate"].facts[model].items():
            metric, _, k = name.partition("_at_")
            if f"recsys_gru_{metric}" in HELP:
                yield f"recsys_gru_{metric}", {"model": model, "k": k}, value


def _day_of_version(version: int | None, settings: Settings) -> date | None:
    """The day whose challenger a version was, as far as the work folder still knows."""
    if version is None:
        return None
    for day in reversed(days(settings)):
        if any(done.facts["version"] == version for done in results(settings, day, "promote")):
            return day
    return None


def _text(names: Mapping[str, str], samples: Sequence[Sample]) -> str:
    lines = []
    for name, told in names.items():
        rows = [(labels, value) for metric, labels, value in samples if metric == name]
        if rows:
            lines += [f"# HELP {name} {told}", f"# TYPE {name} gauge"]
        for labels, value in rows:
            shown = ",".join(f'{key}="{text}"' for key, text in labels.items())
            number = repr(float(value)) if math.isfinite(value) else "NaN"
            lines.append(f"{name}{{{shown}}} {number}" if shown else f"{name} {number}")
    return "\n".join(lines) + "\n"
