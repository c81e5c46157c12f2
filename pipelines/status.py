"""What to know at three in the morning: what ran, what failed and why, what to do, which model serves."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from . import remedies
from .backfill import dismissed, missed
from .fresh import measure, tell
from .nightly import FAILURE
from .plumbing.events import hidden
from .plumbing.lock import holder
from .plumbing.settings import Settings
from .plumbing.workshop import day_folder, days, results
from .stages import STAGES
from .stages.champion import CHALLENGER, CHAMPION, registry_of, rolled_back

SHOWN_DAYS, WIDTH = 10, 100
STAGES_OF_HISTORY = ("ingest",)
HEAD = ("day", "decision", "recall", "champion's", "minutes")


@dataclass(frozen=True)
class Night:
    """What is known of one day.

    Attributes:
        outcome: promoted, refused, rolled back, failed, dismissed, taken in (history), or not decided.
        recall: of the challenger, at the gate's cut-off; None where it was not measured.
        champions: the champion's on the same events.
        minutes: that all its stages took.
    """

    day: date
    stages: tuple[str, ...]
    failure: dict[str, Any] | None
    decision: dict[str, Any] | None
    outcome: str
    recall: float | None
    champions: float | None
    minutes: float


def status(settings: Settings, today: date | None = None) -> dict[str, Any]:
    """Everything the page tells, as plain values, without passwords."""
    today = today or datetime.now(UTC).date()
    given_up = dismissed(settings)
    worked_on = days(settings)
    old, shown = worked_on[:-SHOWN_DAYS], worked_on[-SHOWN_DAYS:]
    nights = [_night(day, settings, given_up) for day in shown]
    decided = [day for day in old if results(settings, day, "promote")]
    decided += [night.day for night in nights if night.decision is not None]
    lost = missed(decided[0], decided[-1], settings) if decided else []
    fresh = tell.told(settings)
    if fresh is not None:
        fresh["behind"] = measure.behind(settings, datetime.now(UTC))
        fresh["max_behind"] = settings.fresh.max_behind
    told: object = {
        "running": holder(settings.work.folder),
        "serving": _serving(settings),
        "nights": [vars(night) for night in nights],
        "missed": lost,
        "dismissed": given_up,
        "newest": decided[-1] if decided else None,
        "age_days": (today - decided[-1]).days if decided else None,
        "recall": f"recall@{settings.gate.k}",
        "logs": f"{settings.work.folder}/log/DAY.jsonl",
        "to_do": [*_to_do(nights, lost, today, settings), *_to_do_between(fresh, settings)],
        "fresh": fresh,
    }
    shown_all = hidden(told)
    if not isinstance(shown_all, dict):
        raise TypeError(f"expected a table, got {shown_all!r}")
    return shown_all


def overdue(told: dict[str, Any], days_allowed: int) -> str | None:
    """Why somebody should be woken because no night has run, if so."""
    if told["newest"] is None:
        return "no night has run yet"
    if told["age_days"] > days_allowed:
        late = f"no night since that of {told['newest']}"
        return f"{late}, {told['age_days']} days ago; {days_allowed} are allowed"
    return None


def fallen_behind(told: dict[str, Any]) -> str | None:
    """Why somebody should be woken because the job between the nights does not follow, if so."""
    fresh = told["fresh"]
    if fresh is None or not fresh["max_behind"] or fresh["behind"] is None:
        return None
    if fresh["behind"] <= fresh["max_behind"]:
        return None
    return f"{_learned_until(fresh)}; {fresh['max_behind']} are allowed"


def _learned_until(fresh: dict[str, Any]) -> str:
    return f"fresh has learned until {fresh['until']}, {fresh['behind']} periods have ended since"


def page(told: dict[str, Any]) -> str:
    """The status for people."""
    lines = [f"running   {told['running'] or 'nothing'}", *_wrapped("serving   ", told["serving"]), ""]
    lines += _table(told["nights"], told["recall"]) if told["nights"] else ["no night has run yet"]
    for night in told["nights"]:
        why = _why(night)
        lines += _wrapped(f"{night['day']} ", why) if why else []
    lines += _fresh(told) if told["fresh"] else []
    lines += ["", f"missed    {', '.join(map(str, told['missed'])) or 'none'}"]
    if told["dismissed"]:
        lines.append(f"dismissed {', '.join(map(str, told['dismissed']))}")
    lines.append("to do")
    lines += [f"  {line}" for line in told["to_do"]] or ["  nothing"]  # not wrapped: commands to copy
    lines += ["", f"more in   {told['logs']}, docs/operations.md"]
    return "\n".join(lines)


def _night(day: date, settings: Settings, given_up: list[date]) -> Night:
    done = {one.stage: one for one in results(settings, day)}
    decision = done["promote"].facts if "promote" in done else None
    path = day_folder(settings, day) / FAILURE
    failure = json.loads(path.read_text(encoding="utf-8")) if path.exists() and day not in given_up else None
    stages = tuple(stage for stage in STAGES if stage in done)
    measured = done["evaluate"].facts if "evaluate" in done else {"challenger": {}, "champion": {}}
    recall, champions = (
        measured[model].get(f"recall_at_{settings.gate.k}") for model in ("challenger", "champion")
    )
    outcome = _outcome(settings, decision, failure, dismissed=day in given_up)
    outcome = "taken in" if outcome == "not decided" and stages == STAGES_OF_HISTORY else outcome
    minutes = sum(one.seconds for one in done.values()) / 60
    return Night(day, stages, failure, decision, outcome, recall, champions, minutes)


def _outcome(settings: Settings, decision: dict[str, Any] | None, failure: object, *, dismissed: bool) -> str:
    """What became of a day, in a word or two."""
    if failure:
        return "failed"
    if decision is None:
        return "dismissed" if dismissed else "not decided"
    if not decision["promoted"]:
        return "refused"
    try:
        back = rolled_back(settings, decision["version"])
    except Exception:  # the store may be what is down: _serving tells of that
        back = None
    return "promoted" if back is None else "rolled back"


def _table(nights: list[dict[str, Any]], recall: str) -> list[str]:
    rows = [(HEAD[0], HEAD[1], recall, *HEAD[3:])]
    for night in nights:
        figures = [f"{night[key]:.4f}" if night[key] is not None else "-" for key in ("recall", "champions")]
        rows.append((str(night["day"]), night["outcome"], *figures, f"{night['minutes']:.1f}"))
    return _in_columns(rows)


def _fresh(told: dict[str, Any]) -> list[str]:
    """The periods between the nights, and what troubles them."""
    found = told["fresh"]
    lines = ["", *_in_columns(tell.table(found, told["recall"]))] if found["rows"] else [""]
    lines += _wrapped("", _learned_until(found)) if found["behind"] is not None else []
    for trouble in found["trouble"]:
        lines += _wrapped("fresh ", trouble["why"])
    if found["unbalanced"]:
        lines.append(f"fresh not each click learned once: {', '.join(found['unbalanced'])}")
    return lines


def _in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _why(night: dict[str, Any]) -> str | None:
    """Why a day has no promoted model, in words; nothing where it has."""
    if night["failure"]:
        return f"failed in {night['failure']['stage']}: {night['failure']['why']}"
    if night["outcome"] == "refused":
        return str(night["decision"]["reason"])
    if night["outcome"] == "not decided":
        return f"not decided, done: {', '.join(night['stages']) or 'nothing'}"
    return None


def _wrapped(head: str, text: str) -> list[str]:
    """Lines of whole words, the first with a head; words that are too long, such as paths, stay whole."""
    short = textwrap.shorten(text, 600, placeholder=" ...")
    return textwrap.wrap(
        short, WIDTH, initial_indent=head, subsequent_indent=" " * len(head),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _serving(settings: Settings) -> str:
    try:
        registry = registry_of(settings)
        champion, challenger = (registry.version_of(alias) for alias in (CHAMPION, CHALLENGER))
        if champion is None:
            return f"no champion yet; challenger: version {challenger}"
        tags = registry.tags(champion)
        told = f"version {champion} of {settings.tracking.model}, of {tags.get('day', 'no day')}"
        return f"{told}, {tags.get('gate', '')}; challenger: version {challenger}"
    except Exception as error:  # the store may be what is down, and the rest must be told all the same
        return f"not known, the registry does not answer: {type(error).__name__}: {error}"


def _to_do_between(fresh: dict[str, Any] | None, settings: Settings) -> list[str]:
    failed = [trouble for trouble in (fresh or {"trouble": []})["trouble"] if trouble["exit_code"] > 1]
    if failed:
        return [f"fresh: see docs/operations.md, then: {settings.command('fresh')}"]
    late = fallen_behind({"fresh": fresh})
    return [] if late is None else [f"{late}: does it run? then: {settings.command('fresh')}"]


def _to_do(nights: list[Night], lost: list[date], today: date, settings: Settings) -> list[str]:
    told = [
        f"{night.day}: {remedies.for_failure(night.failure, settings)}" for night in nights if night.failure
    ]
    decided = [(night.day, night.decision) for night in nights if night.decision is not None]
    for day, decision in decided[-1:]:
        told += [f"{day}: {line}" for line in remedies.for_refusal(day, decision, settings)]
        told += remedies.for_missed(lost, nights[-1].day, today, settings)
    return told
