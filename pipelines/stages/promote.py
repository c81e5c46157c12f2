"""Stage 5: the challenger is registered, and becomes the champion if the gate lets it."""

import json
from datetime import date
from pathlib import Path

from ..gate import Decision, Standing, compare_with_champion, decide
from ..plumbing.errors import PipelineError
from ..plumbing.settings import Settings
from ..plumbing.workshop import Done, Facts, fingerprint, found, once, stage
from . import evaluate, sessions, train
from .champion import CHALLENGER, CHAMPION, bar_of, registry_of
from .record import day_run, decision_tags

PAGE = "decision.md"


def key(day: date, settings: Settings) -> str:
    """The fingerprint of the stage: of what was measured and of the gate."""
    return fingerprint("promote", day, evaluate.key(day, settings), settings.gate)


@stage("promote")
def promote(day: date, settings: Settings) -> Done:
    """Register the challenger and decide; doing it again moves nothing."""
    before = (sessions.made(day, settings), train.made(day, settings), evaluate.made(day, settings))
    return once(
        settings, "promote", day, key(day, settings), lambda folder: _promote(day, settings, before, folder)
    )


def made(day: date, settings: Settings) -> Done:
    """The finished stage."""
    return found(settings, "promote", day, key(day, settings))


def _promote(day: date, settings: Settings, before: tuple[Done, Done, Done], folder: Path) -> Facts:
    data, trained, measured = before
    registry = registry_of(settings)
    own = _registered(day, settings, data, trained)
    standing = _standing(settings, measured, own)
    decision = decide(day, settings, standing, data, measured, _interval(settings, measured))
    facts = {
        **decision.facts(),
        "version": own,
        "rival": standing.rival,
        "serving": own if decision.promoted else standing.champion,
        "sessions": data.fingerprint,
    }
    _write(day, folder, decision, facts)
    with day_run(day, settings, trained) as run:
        run.log(tags=decision_tags(facts))
        run.file(folder / PAGE)
    if decision.promoted and standing.champion != own:
        registry.tag(own, "replaces", str(standing.champion or ""))
        registry.promote(own, decision.reason)
    elif not decision.promoted:
        registry.tag(own, "gate", decision.reason)
    return facts


def _registered(day: date, settings: Settings, data: Done, trained: Done) -> int:
    """The version of the day's model: a rerun finds the one it has registered."""
    registry = registry_of(settings)
    own = registry.find("ticket", trained.fingerprint)
    if own is not None:
        registry.point(CHALLENGER, own)
        return own
    model = evaluate.load(trained.folder / train.MODEL, settings.model["class"])
    tags = {"day": day.isoformat(), "ticket": trained.fingerprint, "sessions": data.fingerprint}
    with day_run(day, settings, trained) as run:
        return registry.register(model, run=run, alias=CHALLENGER, tags=tags)


def _standing(settings: Settings, measured: Done, own: int) -> Standing:
    champion, met = registry_of(settings).version_of(CHAMPION), measured.facts["rival"]
    if champion not in (met, own):
        raise PipelineError(
            f"the champion was moved from version {met} to {champion} while this day was measured: "
            "run the day again, it is then compared with the new one"
        )
    bar = None if champion is None else bar_of(settings, champion)
    return Standing(met, champion, bar, own)


def _interval(settings: Settings, measured: Done) -> Facts | None:
    if measured.facts["rival"] is None:
        return None
    names = (evaluate.CHAMPION_RANKS, evaluate.CHALLENGER_RANKS)
    return compare_with_champion(settings, measured.folder, *names)


def _write(day: date, folder: Path, decision: Decision, facts: Facts) -> None:
    """The decision for machines and for people."""
    (folder / "decision.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    title = f"Night of {day}, version {facts['version']}"
    (folder / PAGE).write_text(decision.page(title), encoding="utf-8")
