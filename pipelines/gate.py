"""The gate: does the challenger serve? A pure function of numbers, and the page that tells them."""

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from .plumbing.settings import Gate, Settings
from .plumbing.workshop import Done, Facts

NOTHING_ASKED = "something to ask"


@dataclass(frozen=True)
class Check:
    """One thing the challenger must show, whether it does, and the numbers."""

    name: str
    passed: bool
    said: str


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes the champion, and why."""

    promoted: bool
    checks: tuple[Check, ...]

    @property
    def reason(self) -> str:
        """What failed, or what was shown, in one line."""
        told = [check for check in self.checks if self.promoted or not check.passed]
        verdict = "promoted" if self.promoted else "refused"
        return f"{verdict}: " + "; ".join(f"{check.name}: {check.said}" for check in told)

    def facts(self) -> Facts:
        """The decision as plain values."""
        return {"promoted": self.promoted, "reason": self.reason, "checks": [asdict(c) for c in self.checks]}

    def page(self, title: str) -> str:
        """The decision as a page of Markdown."""
        verdict = "promoted" if self.promoted else "refused, the champion stays"
        head = [f"# {title}: {verdict}", "", "| check | passed | numbers |", "|---|---|---|"]
        rows = [f"| {c.name} | {'yes' if c.passed else '**no**'} | {c.said} |" for c in self.checks]
        return "\n".join([*head, *rows]) + "\n"


@dataclass(frozen=True)
class Standing:
    """How the champion stands before the decision.

    Attributes:
        rival: the version that the challenger was compared with.
        champion: the version that serves at this moment.
        bar: the last day whose challenger cannot replace the champion: the day it came of, or the day of
            a model that was rolled back.
        own: the challenger's version, if it has been registered.
        rolled_back: when that was rolled back and to which, if it was.
    """

    rival: int | None
    champion: int | None
    bar: date | None
    own: int | None
    rolled_back: str | None = None


def decide(
    day: date, settings: Settings, standing: Standing, data: Done, measured: Done, interval: Facts | None
) -> Decision:
    """Decide on the numbers of the day.

    Args:
        interval: difference to the champion on the same events with its lower and upper bound, and the
            champion's value; None without a champion.
    """
    gate = settings.gate
    if "unanswerable" in measured.facts:
        said = f"no click of the day can be asked for: {measured.facts['unanswerable']}"
        checks = [_newer(day, standing), Check(NOTHING_ASKED, False, said), _volume(gate, data.facts)]
        return Decision(promoted=False, checks=tuple(checks))
    checks = [
        _newer(day, standing),
        _against_champion(gate, interval),
        _against_baselines(gate, measured.facts),
        *_guard_rails(gate, data.facts, measured.facts),
    ]
    return Decision(all(check.passed for check in checks), tuple(checks))


def compare_with_champion(settings: Settings, folder: Path, champion: str, challenger: str) -> Facts:
    """The paired difference of two rank ledgers over the events both hold, bootstrapped over sessions."""
    from recsys_gru import compare, read_ranks

    gate = settings.gate
    found = compare(
        read_ranks(folder / champion),
        read_ranks(folder / challenger),
        [gate.metric],
        [gate.k],
        level=gate.level,
        resamples=gate.resamples,
    )
    row = found.table.row(0, named=True)
    return {name: row[name] for name in ("a", "b", "difference", "low", "high")} | {"events": found.events}


def _newer(day: date, standing: Standing) -> Check:
    """A model of an older day, such as a backfilled one, would be judged on what the champion has seen."""
    if standing.rolled_back is not None and standing.champion != standing.own:
        return Check("newer", False, f"version {standing.own} was rolled back {standing.rolled_back}")
    if standing.bar is None or standing.champion == standing.own:
        return Check("newer", True, "no dated champion to be newer than")
    said = f"{day} must be after {standing.bar}"
    return Check("newer", day > standing.bar, said)


def _against_champion(gate: Gate, interval: Facts | None) -> Check:
    if interval is None:
        return Check("against the champion", True, "there is none")
    bound = -gate.margin * interval["a"] if gate.fresher else 0.0
    if interval["low"] is None:
        said = f"{interval['events']} events are of too few sessions for an interval"
        return Check("against the champion", False, said)
    better = interval["low"] > 0
    said = (
        f"{gate.metric}@{gate.k} {interval['b']:.4f} against {interval['a']:.4f} of "
        f"{interval.get('met', 'the champion')}, "
        "difference "
        f"{interval['difference']:+.4f} [{interval['low']:+.4f}, {interval['high']:+.4f}] on "
        f"{interval['events']} events: "
    )
    if better:
        return Check("against the champion", True, said + "better beyond noise")
    if gate.fresher and interval["low"] > bound:
        return Check("against the champion", True, said + f"fresher and not worse than {bound:+.4f}")
    return Check("against the champion", False, said + f"the lower end must be above {bound:+.4f}")


def _against_baselines(gate: Gate, measured: Facts) -> Check:
    metric = f"{gate.metric}_at_{gate.k}"
    values = {name: metrics[metric] for name, metrics in measured["baselines"].items()}
    if not values:
        return Check("against the baselines", True, "there are none")
    best = max(values, key=lambda name: (values[name], name))
    own, needed = measured["challenger"][metric], values[best] * gate.over_baseline
    said = f"{metric} {own:.4f} against {values[best]:.4f} of {best}, must be above {needed:.4f}"
    return Check("against the baselines", own > needed, said)


def _guard_rails(gate: Gate, data: Facts, measured: Facts) -> list[Check]:
    return [
        _volume(gate, data),
        _limit("coverage", measured["coverage"], gate.min_coverage, least=True),
        _limit("latency p99, ms", measured["latency_p99_ms"], gate.max_latency_ms, least=False),
        _limit("unknown clicks", measured["unknown_share"], gate.max_unknown, least=False),
    ]


def _volume(gate: Gate, data: Facts) -> Check:
    usual = data["usual_clicks"]
    needed = gate.min_volume * usual if usual else 0
    return Check("volume", data["clicks"] >= needed, f"{data['clicks']} clicks, {needed:.0f} are expected")


def _limit(name: str, value: float, limit: float, *, least: bool) -> Check:
    passed = value >= limit if least else value <= limit
    return Check(name, passed, f"{value:.4g}, {'at least' if least else 'at most'} {limit:g} allowed")
