"""What to do about a failure or a refusal, in words for somebody who was woken by it."""

from datetime import date, timedelta
from typing import Any

from .plumbing.errors import BAD_INPUT
from .plumbing.settings import Settings

NO_SPACE = ("No space left", "disk I/O error", "disk is full", "File too large")
DELIVERED = ("unusable", "of other days", "cannot be used", "cannot read", "holds no clicks")
REFUSALS = {
    "newer": "nothing to do, an older day never moves the champion",
    "against the champion": "nothing to do, the champion is no worse; if for weeks: `advise`, tune [model]",
    "against the baselines": "it has not learned: was [model] changed? see {day}/evaluate-*/report.html",
    "something to ask": "is the day incomplete, did the ids change? have it delivered, then: {again}",
    "volume": "is the day incomplete? have all of it delivered, then: {again}; a holiday: nothing",
    "coverage": "the lists show too few items: was [model] changed? see {day}/evaluate-*/report.html",
    "latency p99, ms": "was the machine busy? rm -r {day}/evaluate-* {day}/promote-*, then: {again}",
    "unknown clicks": "clicks on items never learned: did the ids change? else raise window.days",
}
"""By the gate's check that failed."""


def for_failure(failure: dict[str, Any], settings: Settings) -> str:
    """What to do about the note of a failure."""
    day, again = failure["day"], settings.command(f"nightly --day {failure['day']}")
    cause = _bad_input(failure, settings) if failure["exit_code"] == BAD_INPUT else _failed(failure, settings)
    return f"{cause or f'read {settings.work.folder}/log/{day}.jsonl and docs/operations.md'}; then: {again}"


def for_refusal(day: date, decision: dict[str, Any], settings: Settings) -> list[str]:
    """What to do about each check of the gate that failed."""
    again = settings.command(f"nightly --day {day}")
    folder = f"{settings.work.folder}/days/{day}"
    failed = [check["name"] for check in decision["checks"] if not check["passed"]]
    return [f"{name}: " + REFUSALS[name].format(again=again, day=folder) for name in failed]


def for_missed(lost: list[date], newest: date, today: date, settings: Settings) -> list[str]:
    """What to do about days on which the gate has not decided."""
    told = []
    if lost:
        span = f"backfill --first {lost[0]} --last {lost[-1]}"
        given_up = settings.command(f"{span} --dismiss")
        told.append(f"missed days: {settings.command(span)}; if they will not be made up: {given_up}")
    if newest < today - timedelta(days=1):
        span = f"backfill --first {newest + timedelta(days=1)}"
        told.append(f"no night since that of {newest}: is the schedule on? then: {settings.command(span)}")
    return told


def _bad_input(failure: dict[str, Any], settings: Settings) -> str | None:
    why, day = failure["why"], failure["day"]
    if "no clicks have landed" in why:
        return "have the file delivered"
    if any(words in why for words in DELIVERED):
        rows = f"{settings.work.folder}/quarantine/{day}.parquet"
        return f"look at {rows} (column reason), if it is there, and have the file delivered again"
    if "settings" in why or "expected" in why:
        return f"correct {settings.file} as the message says"
    return None


def _failed(failure: dict[str, Any], settings: Settings) -> str | None:
    why, kinds, folder = failure["why"], failure["kinds"], settings.work.folder
    if any(words in why for words in NO_SPACE):
        return "free some disk space (df -h; lower work.keep_days, `recsys-gru prune`)"
    if "TrackingError" in kinds:
        return f"the MLflow store {settings.tracking.where} does not answer: start it"
    if "BundleError" in kinds and f"{folder}/days" in why:
        return f"the night's own model is damaged: remove {folder}/days/{failure['day']}/train-*"
    if "BundleError" in kinds:
        back = settings.command("rollback")
        return f"the champion's files are damaged: restore mlruns/artifacts from a backup, or: {back}"
    if "PanicException" in kinds:
        return f"a library met a value it cannot take: look at the clicks that landed for {failure['day']}"
    known = {
        "MemoryError": "shorten window.days, or run on a larger machine",
        "DivergedError": "lower model.learning_rate, or set model.grad_clip",
        "OSError": f"look at the disk (df -h) and at the rights of {folder}",
        "PipelineError": "do as the message says",
    }
    return next((known[kind] for kind in kinds if kind in known), None)
