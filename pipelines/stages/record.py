"""Stage 7: what all stages counted, measured and decided comes to the day's MLflow run; old days go."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from recsys_gru import errors

from ..plumbing.settings import Settings
from ..plumbing.workshop import MARK, Done, Facts, results, stage, tidy
from .day_run import day_run
from .evaluate import evaluate
from .ingest import ingest
from .promote import PAGE, decision_tags, promote
from .recommend import recommend
from .sessions import sessions
from .train import train

BEFORE = (ingest, sessions, train, evaluate, promote, recommend)
REPORT = ("report.html", "report.json", "ranks.parquet", "recall_curve.png", "slices.png")
LINKED = ("model",)
"""What the registry keeps; the run points to its version."""
COUNTED = {
    "ingest": ("read", "kept", "rejected"),
    "sessions": ("train_events", "train_sessions", "train_items", "test_events", "test_sessions"),
    "train": ("items", "epochs", "loss"),
    "evaluate": ("events", "unknown_share", "coverage", "latency_p50_ms", "latency_p99_ms"),
    "recommend": ("rows",),
}
"""What each stage counted that becomes a metric ``stage/NAME_WHAT``."""


def inputs(day: date, settings: Settings) -> list[object]:
    """All the other stages."""
    return [[before.key(day, settings) for before in BEFORE]]


@stage("record", inputs, *BEFORE, after=tidy)
def record(day: date, settings: Settings, folder: Path, *stages: Done) -> Facts:
    """Log what all stages counted, measured and decided; then remove what is no longer needed."""
    by_name = {done.stage: done for done in stages}
    metrics = {f"stage/{done.stage}_seconds": done.seconds for done in stages}
    for done_stage, names in COUNTED.items():
        facts = by_name[done_stage].facts if done_stage in by_name else {}
        metrics |= {f"stage/{done_stage}_{name}": facts[name] for name in names if name in facts}
    metrics |= _measured(by_name["evaluate"].facts)
    decision, trained, measured = by_name["promote"], by_name["train"], by_name["evaluate"]
    with day_run(day, settings, trained) as run:
        run.tell(trained.folder, without=LINKED)
        run.tell(measured.folder)
        run.log(
            {name: value for name, value in metrics.items() if math.isfinite(value)},
            params=_flat(settings, "window", "train"),
            tags=_flat(settings, "evaluate", "gate") | decision_tags(decision.facts),
            time=_end(stages),
        )
        for page in (decision.folder / PAGE, *(measured.folder / name for name in REPORT)):
            if page.exists():
                run.file(page)
    (folder / "metrics.txt").write_text("\n".join(sorted(metrics)) + "\n", encoding="utf-8")
    return {"metrics": len(metrics)}


def record_failure(day: date, settings: Settings, error: BaseException) -> None:
    """Close the run of a day as failed, with what was said, if the night has come far enough to have one."""
    if not results(settings, day, "train"):
        return
    trained = train.made(day, settings)
    with day_run(day, settings, trained) as run:
        run.log(tags={"error": errors.without_secrets(f"{type(error).__name__}: {error}")[:5000]})
        run.fail()
        run.tell(trained.folder, without=LINKED)


def _flat(settings: Settings, *sections: str) -> dict[str, object]:
    """Settings by section and name; those that may change while the run stays are no parameters but tags."""
    values = {section: asdict(getattr(settings, section)) for section in sections}
    return {f"{section}.{name}": value for section in sections for name, value in values[section].items()}


def _end(stages: Sequence[Done]) -> int:
    """When the last stage ended, in milliseconds: the same for whoever logs it again."""
    return max((done.folder / MARK).stat().st_mtime_ns for done in stages) // 1_000_000


def _measured(facts: Facts) -> dict[str, float]:
    metrics = {f"champion/{name}": value for name, value in facts["champion"].items()}
    for baseline, found in facts["baselines"].items():
        metrics |= {f"baseline/{baseline}_{name}": value for name, value in found.items()}
    return metrics
