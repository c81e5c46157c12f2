"""The numbers of the job between the nights for monitoring, and whether it has fallen behind."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..metrics import Sample, last_good, metrics_file, write_samples
from ..plumbing.errors import DONE, REFUSED
from ..plumbing.events import say
from ..plumbing.periods import finished, length_of
from ..plumbing.settings import Settings
from ..plumbing.versions import current
from ..plumbing.workshop import Facts
from .tell import unbalanced

NAME = "recsys_gru_fresh.prom"
LAST_GOOD = "recsys_gru_fresh_last_success_timestamp_seconds"
HELP = {
    "recsys_gru_fresh_last_run_timestamp_seconds": "when the job between the nights ended last",
    LAST_GOOD: "when it ended last with exit code 0 or 1 (the guard refused)",
    "recsys_gru_fresh_last_exit_code": "its exit code: 0 done, 1 refused, 2 bad input, 3 failed",
    "recsys_gru_fresh_run_seconds": "how long that run took",
    "recsys_gru_fresh_until_timestamp_seconds": "end of the last period that the serving version has learned",
    "recsys_gru_fresh_youngest_click_timestamp_seconds": "youngest click that version has learned",
    "recsys_gru_fresh_version": "the fresh version that serves, and the champion's version it goes on from",
    "recsys_gru_fresh_recall": "recall on the last period with figures, foretold, by model and cut-off",
    "recsys_gru_fresh_mrr": "mean reciprocal rank likewise",
    "recsys_gru_fresh_clicks": "clicks of the last learned period by kind",
    "recsys_gru_fresh_learning_seconds": "how long learning that period took",
    "recsys_gru_fresh_unbalanced_periods": "periods of whose clicks not each was learned once; 0 is right",
}
"""Every metric and what it means; all are gauges."""
KINDS = ("learned", "late", "early", "rejected")


def measure(settings: Settings, code: int, seconds: float) -> None:
    """Write the numbers anew after a run; that it cannot be done stops nothing."""
    try:
        if not settings.dry_run:
            path = fresh_metrics_file(settings)
            write_samples(path, HELP, [*_of_run(path, code, seconds), *_of_version(settings)])
    except Exception as error:
        say("metrics not written", level=logging.ERROR, why=str(error))


def fresh_metrics_file(settings: Settings) -> Path:
    """Where the metrics are."""
    return metrics_file(settings, NAME)


def behind(settings: Settings, now: datetime) -> int | None:
    """How many periods have ended since the last learned one; None where no fresh version was ever made."""
    serving = current(settings)
    if serving is None:
        return None
    return sum(1 for _ in finished(serving.until, now, length_of(settings.fresh.every)))


def _of_run(path: Path, code: int, seconds: float) -> Iterator[Sample]:
    now = time.time()
    good = now if code in (DONE, REFUSED) else last_good(path, LAST_GOOD)
    yield "recsys_gru_fresh_last_run_timestamp_seconds", {}, now
    yield "recsys_gru_fresh_last_exit_code", {}, code
    yield "recsys_gru_fresh_run_seconds", {}, seconds
    if good is not None:
        yield LAST_GOOD, {}, good


def _of_version(settings: Settings) -> Iterator[Sample]:
    """What the serving version's ledger tells."""
    serving = current(settings)
    rows = [] if serving is None else serving.ledger()
    if serving is None or not rows:
        return
    yield "recsys_gru_fresh_until_timestamp_seconds", {}, serving.until.timestamp()
    yield "recsys_gru_fresh_version", {"role": "fresh"}, serving.number
    yield "recsys_gru_fresh_version", {"role": "base"}, serving.base
    for row in [row for row in rows if row.get("youngest")][-1:]:
        youngest = datetime.fromisoformat(row["youngest"]).astimezone(UTC)
        yield "recsys_gru_fresh_youngest_click_timestamp_seconds", {}, youngest.timestamp()
    for row in [row for row in rows if row["recall"] is not None][-1:]:
        yield from _figures(row, settings.gate.k)
    for kind in KINDS:
        yield "recsys_gru_fresh_clicks", {"kind": kind}, rows[-1][kind]
    yield "recsys_gru_fresh_learning_seconds", {}, rows[-1]["seconds"]
    yield "recsys_gru_fresh_unbalanced_periods", {}, len(unbalanced(settings))


def _figures(row: Facts, k: int) -> Iterator[Sample]:
    for model, before in (("fresh", ""), ("nightly", "nightly_")):
        for name in ("recall", "mrr"):
            yield f"recsys_gru_fresh_{name}", {"model": model, "k": str(k)}, row[before + name]
