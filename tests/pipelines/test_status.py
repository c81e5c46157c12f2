"""What somebody reads at three in the morning: each kind of failure and refusal with what to do."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import remedies
from pipelines.plumbing.errors import BAD_INPUT, FAILED, REFUSED
from pipelines.plumbing.settings import DEFAULT, read_settings
from pipelines.status import page, status
from tests.pipelines.nights import DAY, Home

SETTINGS = replace(read_settings(DEFAULT), file=Path("/srv/nightly.toml"))
AGAIN = "recsys-gru nightly --day 2026-01-05 --settings /srv/nightly.toml"
ROLLBACK = "recsys-gru rollback --settings /srv/nightly.toml"


@pytest.mark.parametrize(
    ("why", "code", "kinds", "said"),
    [
        ("BadInputError: no clicks have landed for", BAD_INPUT, [], "have the file delivered; then: "),
        ("BadInputError: 9 of 9 rows are unusable", BAD_INPUT, [], "quarantine/2026-01-05.parquet"),
        ("BadInputError: impossible settings in [model]", BAD_INPUT, [], "correct /srv/nightly.toml"),
        ("BadInputError: what is this", BAD_INPUT, [], "docs/operations.md; then: "),
        (
            "TrackingError: no MLflow server answers",
            FAILED,
            ["TrackingError"],
            "mlruns does not answer: start it",
        ),
        ("BundleError: /tmp/x is damaged", FAILED, ["BundleError"], ROLLBACK),
        (f"BundleError: {SETTINGS.work.folder}/days/", FAILED, ["BundleError"], "days/2026-01-05/train-*"),
        ("OperationalError: database or disk is full", FAILED, ["Exception"], "free some disk space"),
        ("PermissionError: denied", FAILED, ["PermissionError", "OSError"], "the rights of "),
        ("MemoryError: ", FAILED, ["MemoryError"], "shorten window.days"),
        ("DivergedError: NaN", FAILED, ["DivergedError"], "lower model.learning_rate"),
        ("PipelineError: the stored clicks of", FAILED, ["PipelineError"], "do as the message says"),
        ("ValueError: what", FAILED, ["ValueError"], "log/2026-01-05.jsonl"),
    ],
)
def test_each_failure_has_a_remedy_and_the_command_to_go_on(
    why: str, code: int, kinds: list[str], said: str
) -> None:
    failure = {"day": "2026-01-05", "why": why, "exit_code": code, "kinds": kinds}
    told = remedies.for_failure(failure, SETTINGS)
    assert said in told
    assert told.endswith("then: " + AGAIN)


def test_each_check_of_the_gate_has_words_for_its_refusal(serving: Home) -> None:
    checks: list[dict[str, Any]] = serving.decision()["checks"]
    refused = {"checks": [{**check, "passed": False} for check in checks]}
    told = remedies.for_refusal(date(2026, 1, 5), refused, SETTINGS)
    assert len(told) == len(checks)
    assert any(AGAIN in line for line in told)
    assert remedies.for_refusal(date(2026, 1, 5), serving.decision(), SETTINGS) == []


def test_a_schedule_that_is_off_is_noticed(serving: Home) -> None:
    assert page(status(serving.settings(), DAY + timedelta(days=1))).count("nothing") == 2
    told = page(status(serving.settings(), DAY + timedelta(days=2)))
    assert "no night since that of 2026-01-04: is the schedule on?" in told
    assert f"backfill --first 2026-01-05 --settings {serving.file}" in told


def test_a_refusal_and_a_missed_day_are_told_with_what_to_do(serving: Home) -> None:
    newest = DAY + timedelta(days=2)
    serving.configure(gate={"max_latency_ms": 0.0, "max_unknown": 1.0, "resamples": 200, "margin": 0.5})
    assert serving.run(newest) == REFUSED
    told = page(status(serving.settings(), newest))
    assert "2026-01-06: latency p99, ms: was the machine busy? rm -r " in told
    assert "missed days: recsys-gru backfill --first 2026-01-05 --last 2026-01-05" in told
