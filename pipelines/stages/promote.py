"""Stage 5: the challenger is registered, and becomes the champion if the gate lets it."""

import json
from datetime import date
from pathlib import Path

from ..gate import Decision, Standing, compare_with_champion, decide
from ..plumbing.errors import PipelineError
from ..plumbing.finished import taken_in
from ..plumbing.settings import Settings
from ..plumbing.workshop import Done, Facts, stage
from .champion import (
    CHALLENGER,
    REPLACES,
    bar_of,
    note_champion,
    registry_of,
    rolled_back,
    serving,
)
from .day_run import day_run
from .evaluate import CHALLENGER_RANKS, CHAMPION_RANKS, evaluate
from .sessions import sessions
from .train import load, train

PAGE = "decision.md"


def inputs(day: date, settings: Settings) -> list[object]:
    """What was measured, the gate, and whether the day's model was rolled back."""
    own = registry_of(settings).find("ticket", train.key(day, settings))
    return [evaluate.key(day, settings), settings.gate, rolled_back(settings, own)]


def _note_champion(settings: Settings, _: Done) -> None:
    note_champion(settings)


@stage("promote", inputs, sessions, train, evaluate, after=_note_champion)
def promote(day: date, settings: Settings, folder: Path, data: Done, trained: Done, measured: Done) -> Facts:
    """Register the challenger and decide; doing it again moves nothing."""
    registry = registry_of(settings)
    own = _registered(day, settings, data, trained, measured)
    standing = _standing(settings, measured, own)
    decision = decide(day, settings, standing, data, measured, _interval(settings, measured))
    facts = {
        **decision.facts(),
        "version": own,
        "rival": standing.rival,
        "serving": own if decision.promoted else standing.champion,
        "sessions": data.fingerprint,
        "clicks": sessions.inputs(day, settings)[0],
        "landed": taken_in(day, settings),
    }
    _write(day, folder, decision, facts)
    with day_run(day, settings, trained) as run:
        run.log(tags=decision_tags(facts))
        run.file(folder / PAGE)
    if decision.promoted and standing.champion != own:
        registry.tag(own, REPLACES, str(standing.champion or ""))
        registry.promote(own, decision.reason)
    elif not decision.promoted:
        registry.tag(own, "gate", decision.reason)
    return facts


def decision_tags(facts: Facts) -> dict[str, object]:
    """What the day's run says of the gate."""
    names = ("promoted", "version", "serving", "rival")
    return {"gate": facts["reason"][:5000], **{f"gate.{name}": facts[name] for name in names}}


def _registered(day: date, settings: Settings, data: Done, trained: Done, measured: Done) -> int:
    """The version of the day's model: a rerun finds the one it has registered."""
    registry = registry_of(settings)
    own = registry.find("ticket", trained.fingerprint)
    if own is not None:
        registry.point(CHALLENGER, own)
        return own
    model = load(settings, trained)
    tags = {"day": day.isoformat(), "ticket": trained.fingerprint, "sessions": data.fingerprint}
    with day_run(day, settings, trained) as run:
        told = measured.facts
        figures, notes = (told["challenger"], told.get("notes", {})) if told["events"] else ({}, {})
        return registry.register(model, run=run, alias=CHALLENGER, tags=tags, metrics=figures, notes=notes)


def _standing(settings: Settings, measured: Done, own: int) -> Standing:
    champion, met, back = serving(settings), measured.facts["rival"], rolled_back(settings, own)
    if champion not in (met, own) and back is None:
        raise PipelineError(
            f"the champion was moved from version {met} to {champion} while this day was measured: "
            "run the day again, it is then compared with the new one"
        )
    bar = None if champion is None else bar_of(settings, champion)
    return Standing(met, champion, bar, own, back)


def _interval(settings: Settings, measured: Done) -> Facts | None:
    if measured.facts["rival"] is None or "unanswerable" in measured.facts:
        return None
    found = compare_with_champion(settings, measured.folder, CHAMPION_RANKS, CHALLENGER_RANKS)
    return found | {"met": measured.facts["met"]}


def _write(day: date, folder: Path, decision: Decision, facts: Facts) -> None:
    """The decision for machines and for people."""
    (folder / "decision.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    title = f"Night of {day}, version {facts['version']}"
    (folder / PAGE).write_text(decision.page(title), encoding="utf-8")
