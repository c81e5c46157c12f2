"""The gate as a function of numbers."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.gate import Decision, Standing, decide
from pipelines.plumbing.settings import DEFAULT, Gate, read_settings
from pipelines.plumbing.workshop import Done

DAY, DAY_BEFORE = date(2026, 1, 4), date(2026, 1, 3)
SETTINGS = read_settings(DEFAULT)
CHAMPION = Standing(rival=1, champion=1, bar=DAY_BEFORE, own=2)
GOOD: dict[str, Any] = {
    "challenger": {"recall_at_20": 0.5, "mrr_at_20": 0.2},
    "baselines": {
        "Markov": {"recall_at_20": 0.4, "mrr_at_20": 0.3},
        "Popularity": {"recall_at_20": 0.1, "mrr_at_20": 0.05},
    },
    "coverage": 0.5, "latency_p99_ms": 10.0, "unknown_share": 0.1,
}  # fmt: skip


def done(**facts: object) -> Done:
    """A finished stage with these facts."""
    return Done("any", DAY, Path(), "", facts, 0.0)


def decided(
    interval: tuple[float, float] | None = (0.01, 0.03),
    standing: Standing = CHAMPION,
    clicks: tuple[int, float | None] = (100, 100.0),
    gate: dict[str, Any] | None = None,
    **measured: object,
) -> Decision:
    """The decision on good numbers with some changed; the default gate with some settings changed."""
    settings = replace(SETTINGS, gate=Gate(**{**vars(SETTINGS.gate), **(gate or {})}))
    data = done(clicks=clicks[0], usual_clicks=clicks[1])
    found = None
    if interval is not None:
        low, high = interval
        middle = (low + high) / 2
        found = {"a": 0.4, "b": 0.4 + middle, "difference": middle, "low": low, "high": high, "events": 9}
    return decide(DAY, settings, standing, data, done(**{**GOOD, **measured}), found)


@pytest.mark.parametrize(
    ("interval", "gate", "passes"),
    [
        ((0.001, 0.02), {}, True),  # better by more than noise
        ((-0.001, 0.02), {}, True),  # fresher, and not worse: the margin is .005 of .4
        ((-0.003, 0.02), {}, False),  # may be worse than the margin allows
        ((-0.03, -0.01), {}, False),  # worse
        ((-0.001, 0.02), {"fresher": False}, False),  # freshness counts nothing by settings
        ((0.001, 0.02), {"fresher": False}, True),
        ((0.0, 0.0), {"fresher": False}, False),  # the same
        ((float("nan"), float("nan")), {}, False),
    ],
)
def test_the_champion_is_replaced_by_what_is_better_or_fresher_and_no_worse(
    interval: tuple[float, float], gate: dict[str, Any], passes: bool
) -> None:
    assert decided(interval, gate=gate).promoted is passes


def test_the_first_challenger_meets_only_baselines_and_guard_rails() -> None:
    assert decided(None, Standing(None, None, None, 1)).promoted
    assert not decided(None, Standing(None, None, None, 1), coverage=0.0).promoted


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"standing": Standing(1, 1, DAY, 2)}, "newer"),
        ({"standing": Standing(1, 1, date(2026, 1, 9), 2)}, "newer"),
        ({"challenger": {"recall_at_20": 0.4}}, "against the baselines"),  # as good as the best is not above
        ({"challenger": {"recall_at_20": float("nan")}}, "against the baselines"),
        ({"gate": {"metric": "mrr"}}, "against the baselines"),  # .2 against .3 of Markov
        ({"clicks": (49, 100.0)}, "volume"),  # less than half the median
        ({"coverage": 0.009}, "coverage"),
        ({"coverage": float("nan")}, "coverage"),
        ({"latency_p99_ms": 251.0}, "latency p99, ms"),
        ({"unknown_share": 0.51}, "unknown clicks"),
    ],
)
def test_each_check_alone_refuses(changed: dict[str, Any], said: str) -> None:
    decision = decided(**changed)
    assert [check.name for check in decision.checks if not check.passed] == [said]
    assert decision.reason.startswith(f"refused: {said}: ")
    assert f"| {said} | **no** |" in decision.page("Night")


def test_half_the_usual_clicks_are_enough_and_a_first_day_has_no_usual() -> None:
    assert decided(clicks=(50, 100.0)).promoted
    assert decided(clicks=(1, None)).promoted
