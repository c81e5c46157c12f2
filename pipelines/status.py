"""What to know at three in the morning: what ran, what failed and why, what to do, which model serves."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from . import remedies
from .backfill import missed
from .nightly import FAILURE
from .plumbing.lock import holder
from .plumbing.settings import Settings
from .plumbing.workshop import day_folder, days, results
from .stages import STAGES
from .stages.champion import CHALLENGER, CHAMPION, registry_of

SHOWN_DAYS = 10


@dataclass(frozen=True)
class Night:
    """What is known of one day: stages done, its failure, its decision."""

    day: date
    stages: tuple[str, ...]
    failure: dict[str, Any] | None
    decision: dict[str, Any] | None


def status(settings: Settings, today: date | None = None) -> dict[str, Any]:
    """Everything the page tells, as plain values."""
    today = today or datetime.now(UTC).date()
    nights = [_night(day, settings) for day in days(settings)]
    decided = [night.day for night in nights if night.decision is not None]
    lost = missed(decided[0], decided[-1], settings) if decided else []
    return {
        "running": holder(settings.work.folder),
        "serving": _serving(settings),
        "nights": [vars(night) for night in nights[-SHOWN_DAYS:]],
        "missed": lost,
        "logs": f"{settings.work.folder}/log/DAY.jsonl",
        "to_do": _to_do(nights, lost, today, settings),
    }


def page(told: dict[str, Any]) -> str:
    """The status for people."""
    lines = [f"running   {told['running'] or 'nothing'}", f"serving   {told['serving']}", ""]
    lines += [_line(night) for night in told["nights"]] or ["no night has run yet"]
    lines += ["", f"missed    {', '.join(map(str, told['missed'])) or 'none'}", "to do"]
    lines += [f"  {line}" for line in told["to_do"]] or ["  nothing"]
    lines += ["", f"more in   {told['logs']}, docs/operations.md"]
    return "\n".join(lines)


def _night(day: date, settings: Settings) -> Night:
    done = {one.stage: one for one in results(settings, day)}
    decision = done["promote"].facts if "promote" in done else None
    path = day_folder(settings, day) / FAILURE
    failure = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    stages = tuple(stage for stage in STAGES if stage in done)
    return Night(day, stages, failure, decision)


def _line(night: dict[str, Any]) -> str:
    if night["failure"]:
        return f"{night['day']} failed in {night['failure']['stage']}: {night['failure']['why'][:300]}"
    if night["decision"]:
        return f"{night['day']} {night['decision']['reason'][:300]}"
    return f"{night['day']} not decided, done: {', '.join(night['stages']) or 'nothing'}"


def _serving(settings: Settings) -> str:
    try:
        registry = registry_of(settings)
        champion, challenger = (registry.version_of(alias) for alias in (CHAMPION, CHALLENGER))
        if champion is None:
            return f"no champion yet; challenger: version {challenger}"
        tags = registry.tags(champion)
        told = f"version {champion} of {settings.tracking.model}, of {tags.get('day', 'no day')}"
        return f"{told}, {tags.get('gate', '')[:200]}; challenger: version {challenger}"
    except Exception as error:  # the store may be what is down, and the rest must be told all the same
        return f"not known, the registry does not answer: {type(error).__name__}: {error}"


def _to_do(nights: list[Night], lost: list[date], today: date, settings: Settings) -> list[str]:
    told = [
        f"{night.day}: {remedies.for_failure(night.failure, settings)}" for night in nights if night.failure
    ]
    decided = [(night.day, night.decision) for night in nights if night.decision is not None]
    for day, decision in decided[-1:]:
        told += [f"{day}: {line}" for line in remedies.for_refusal(day, decision, settings)]
        told += remedies.for_missed(lost, nights[-1].day, today, settings)
    return told
