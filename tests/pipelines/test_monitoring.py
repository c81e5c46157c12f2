"""What a machine watches: the metrics file, the check of the status; and days that are given up."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.metrics import metrics_file
from pipelines.plumbing.errors import BAD_INPUT, DONE, FAILED, REFUSED
from pipelines.status import page, status
from recsys_gru.tracking.dashboard import experiment_shown
from tests.pipelines.nights import DAY, SMALL_GATE, Home, command

NEXT = DAY + timedelta(days=1)


def metrics(home: Home) -> dict[str, float]:
    """The samples of the file by name and labels; every line is one, or says what follows."""
    lines = metrics_file(home.settings()).read_text().splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("# ")]
    assert len({name for name, _, _ in samples}) == len(samples)
    return {name: float(value) for name, _, value in samples}


def test_the_metrics_of_a_night_tell_what_it_decided_and_a_failure_keeps_the_last_success(
    serving: Home,
) -> None:
    found = metrics(serving)
    assert found["recsys_gru_last_exit_code"] == found["recsys_gru_champion_age_days"] == 0
    assert found["recsys_gru_promoted"] == 1
    assert 0 < found['recsys_gru_recall{model="challenger",k="20"}'] <= 1
    assert found['recsys_gru_stage_seconds{stage="train"}'] > 0
    assert found['recsys_gru_version{role="champion"}'] == 1
    good = found["recsys_gru_last_success_timestamp_seconds"]
    serving.configure(gate={**SMALL_GATE, "min_coverage": 1.0})
    assert serving.run(NEXT) == REFUSED
    found = metrics(serving)
    assert (found["recsys_gru_last_exit_code"], found["recsys_gru_promoted"]) == (1, 0)
    assert 0 < found['recsys_gru_recall{model="champion",k="20"}'] <= 1
    assert found["recsys_gru_champion_age_days"] == 1
    again = found["recsys_gru_last_success_timestamp_seconds"]
    assert again > good
    Path(serving.settings().input.file(NEXT + timedelta(days=1))).unlink()
    assert serving.run(NEXT + timedelta(days=1)) == BAD_INPUT
    found = metrics(serving)
    assert found["recsys_gru_last_exit_code"] == BAD_INPUT
    assert found["recsys_gru_last_success_timestamp_seconds"] == again
    assert found["recsys_gru_last_run_timestamp_seconds" + f'{{day="{NEXT + timedelta(days=1)}"}}'] > again


def test_the_check_fails_where_no_night_has_run(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--settings", str(home.file)]
    assert command("status", "--check", *options) == FAILED
    assert "no night has run yet" in capsys.readouterr().err
    home.take_in_before()
    assert home.run() == DONE
    assert command("status", "--check", *options) == FAILED
    assert "no night since that of 2026-01-04" in capsys.readouterr().err
    assert command("status", "--check", "--days", "100000", *options) == DONE
    assert command("status", *options) == DONE
    assert experiment_shown(home.mlruns) == "nightly"


def test_a_table_tells_the_days_and_missed_ones_can_be_dismissed(
    serving: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    serving.configure(gate={**SMALL_GATE, "min_coverage": 1.0})
    newest = NEXT + timedelta(days=1)
    assert serving.run(newest) == REFUSED
    told = page(status(serving.settings(), newest)).splitlines()
    (head,) = (line for line in told if line.startswith("day"))
    assert head.split() == ["day", "decision", "recall@20", "champion's", "minutes"]
    (row,) = (line for line in told if line.startswith("2026-01-06  "))
    assert row.split()[1] == "refused"
    assert len(row.split()) == 5
    assert all(len(line) <= 100 for line in told if line.startswith("2026"))
    options = ["--settings", str(serving.file)]
    assert f"backfill --first {NEXT} --last {NEXT} --dismiss" in "".join(told).replace(
        f" {options[0]} {serving.file}", ""
    )
    assert command("backfill", "--first", str(NEXT), "--last", str(NEXT), "--dismiss", *options) == DONE
    assert "they will not be made up" in capsys.readouterr().out
    found = page(status(serving.settings(), newest))
    assert "missed    none\ndismissed 2026-01-05" in found
    assert "missed days" not in found
    assert command("backfill", "--first", str(NEXT), "--last", str(NEXT), *options) == DONE
    assert capsys.readouterr().out == "missed: none\n"
